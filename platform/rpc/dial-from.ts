import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type ChannelOptions, experimental, Metadata } from '@grpc/grpc-js';
import { explain } from '../run/explain.ts';
import { STATUS_CODES } from './status.ts';

const SCHEME = 'enclave-dial';
const LOCAL_ADDRESS = 'enclave.local_address';

/**
 * grpc-js cannot be told which address to dial from, but hands a resolver's addresses to `net.connect` as they are; so a resolver of our own adds it:
 * every process dials from its pod's address, by which agents and front know it.
 * @returns the target and the channel options that go with it
 */
export function dialFrom(
  address: { readonly host: string; readonly port: number },
  localAddress: string | undefined,
): { target: string; options: ChannelOptions } {
  register();
  return {
    target: `${SCHEME}:${JSON.stringify([address.host, address.port])}`,
    options: localAddress === undefined ? {} : { [LOCAL_ADDRESS]: localAddress },
  };
}

const MIN_INTERVAL_MS = 5_000;

let registered = false;
function register(): void {
  if (!registered) experimental.registerResolver(SCHEME, DialFromResolver);
  registered = true;
}

type Uri = ConstructorParameters<Parameters<typeof experimental.registerResolver>[1]>[0];

class DialFromResolver {
  readonly #target: { host: string; port: number };
  readonly #localAddress: string | undefined;
  readonly #listener: experimental.ResolverListener;
  #timer: NodeJS.Timeout | undefined;
  #answeredAt: number | undefined;
  #generation = 0;

  constructor(target: Uri, listener: experimental.ResolverListener, options: ChannelOptions) {
    const [host, port] = JSON.parse(target.path) as [string, number];
    this.#target = { host, port };
    const local: unknown = options[LOCAL_ADDRESS];
    this.#localAddress = typeof local === 'string' ? local : undefined;
    this.#listener = listener;
  }

  /**
   * Asked for anew after every failed connection. An answer makes the channel connect at once, so an address is answered only once (the channel's own backoff
   * retries it), and a name no sooner than after five seconds.
   */
  updateResolution(): void {
    if (this.#timer !== undefined || (this.#answeredAt !== undefined && isIP(this.#target.host) !== 0))
      return;
    const wait = this.#answeredAt === undefined ? 0 : this.#answeredAt + MIN_INTERVAL_MS - performance.now();
    this.#timer = setTimeout(() => void this.#resolve(), Math.max(0, wait));
  }

  /** The channel went idle or ended; it may ask again. */
  destroy(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#answeredAt = undefined;
    this.#generation += 1;
  }

  static getDefaultAuthority(): string {
    return 'localhost';
  }

  async #resolve(): Promise<void> {
    const { host } = this.#target;
    const generation = this.#generation;
    try {
      const hosts =
        isIP(host) !== 0 ? [host] : (await lookup(host, { all: true })).map(({ address }) => address);
      if (generation === this.#generation) this.#settled(() => this.#answer(hosts));
    } catch (error) {
      if (generation === this.#generation) this.#settled(() => this.#fail(error));
    }
  }

  #settled(tell: () => void): void {
    this.#answeredAt = performance.now();
    this.#timer = undefined;
    tell();
  }

  #answer(hosts: readonly string[]): void {
    const endpoints = hosts.map((host) => ({
      addresses: [
        {
          host,
          port: this.#target.port,
          ...(this.#localAddress !== undefined && { localAddress: this.#localAddress }),
        },
      ],
    }));
    this.#listener(experimental.statusOrFromValue(endpoints), {}, null, '');
  }

  #fail(error: unknown): void {
    const details = `no address for ${this.#target.host}: ${explain(error)}`;
    const status = { code: STATUS_CODES.UNAVAILABLE, details, metadata: new Metadata() };
    this.#listener(experimental.statusOrFromError(status), {}, null, '');
  }
}
