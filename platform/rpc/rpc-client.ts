import { createSecureContext } from 'node:tls';
import { ChannelCredentials, Client, type ClientOptions } from '@grpc/grpc-js';
import type { Address } from '../config/option.ts';
import type { Credential } from '../identity/credential.ts';
import type { Live } from '../run/live.ts';
import { clientTlsOptions } from '../tls/dial.ts';
import { serverIdentity } from '../tls/server-identity.ts';
import { callMethod } from './call-method.ts';
import { dialFrom } from './dial-from.ts';
import type { RpcMethods, Service } from './service.ts';
import { watchConnecting } from './watch-connecting.ts';

export interface RpcClientOptions {
  readonly address: Address;
  /** DNS name that the server's certificate must have, whatever the address is. */
  readonly serverName: string;
  /**
   * DER; never empty. New connections follow a change. `unauthenticated` lets anybody answer: only for what authenticates itself (a trust document that a
   * fingerprint from the operator names), and no token or credential goes with it.
   */
  readonly roots: Live<readonly Uint8Array[]> | 'unauthenticated';
  /** Client certificate; new connections follow a renewal. */
  readonly credential?: Live<Credential>;
  /** Largest answer. */
  readonly maxResponseBytes: number;
  /** Address to dial from: the pod's. */
  readonly localAddress?: string;
  /** Milliseconds for a call without a response stream; default 30,000. */
  readonly timeoutMs?: number;
  /** Milliseconds that a connection may take before it is begun anew; default 10,000. */
  readonly connectMs?: number;
  /** Judges the server's certificate (DER) beyond chain and name: its role. Returns a reason to refuse. */
  judgeServer?(certificate: Uint8Array): string | undefined;
}

export type RpcClient<S extends Service> = RpcMethods<S> & { close(): void };

/** A client of one service: TLS 1.3, the server's name checked, its failures as RpcRefusal and RpcError. */
export function createRpcClient<S extends Service>(service: S, options: RpcClientOptions): RpcClient<S> {
  const { connectMs = 10_000 } = options;
  let channel = connect(options);
  let inputs = inputsOf(options);
  const replace = (): void => {
    const old = channel;
    unwatch();
    channel = connect(options);
    unwatch = watchConnecting(channel, connectMs, replace);
    // Calls under way keep the old connection until they end; those that wait for one fail, and are made again.
    old.close();
  };
  let unwatch = watchConnecting(channel, connectMs, replace);
  const renew = (): void => {
    const now = inputsOf(options);
    // A new trust document each minute mostly names the same roots: no reason to connect anew.
    if (now === inputs) return;
    inputs = now;
    replace();
  };
  const unsubscribe = [
    options.roots === 'unauthenticated' ? undefined : options.roots.onChange(renew),
    options.credential?.onChange(renew),
  ];
  const methods: Record<string, unknown> = {};
  for (const [name, method] of Object.entries(service))
    methods[name] = callMethod(method, () => channel, options.timeoutMs ?? 30_000);
  const close = (): void => {
    for (const each of unsubscribe) each?.();
    unwatch();
    channel.close();
  };
  return { ...methods, close } as unknown as RpcClient<S>;
}

/** What a connection depends on, as one comparable text. */
function inputsOf({ roots, credential }: RpcClientOptions): string {
  const certificates = [
    ...(roots === 'unauthenticated' ? [] : roots.current()),
    ...(credential?.current().chain ?? []),
  ];
  return certificates.map((der) => Buffer.from(der).toString('base64')).join();
}

function connect(options: RpcClientOptions): Client {
  const { serverName } = options;
  const { target, options: dialing } = dialFrom(options.address, options.localAddress);
  const settings: ClientOptions = {
    ...dialing,
    'grpc.ssl_target_name_override': serverName,
    'grpc.default_authority': serverName,
    'grpc.max_receive_message_length': options.maxResponseBytes,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.min_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    // A server whose node is gone, or which stands still, says nothing: it is left, and whoever took over is dialled.
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 5_000,
    // One process has few channels, each with its own certificate: none is shared.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
  };
  return new Client(target, credentialsOf(options), settings);
}

function credentialsOf({ roots, credential, serverName, judgeServer }: RpcClientOptions): ChannelCredentials {
  if (roots === 'unauthenticated') {
    if (credential !== undefined) throw new Error('no credential goes to a server that is not authenticated');
    const context = createSecureContext({ minVersion: 'TLSv1.3' });
    return ChannelCredentials.createFromSecureContext(context, { rejectUnauthorized: false });
  }
  const current = credential?.current();
  const context = createSecureContext(
    clientTlsOptions({ roots: roots.current(), ...(current && { credential: current }) }),
  );
  return ChannelCredentials.createFromSecureContext(context, {
    checkServerIdentity: serverIdentity(serverName, judgeServer),
  });
}
