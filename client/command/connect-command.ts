import { DEFAULT_ENCLAVE_DOMAIN } from '../../names/components.ts';
import { DEFAULT_ALPN } from '../../names/wire.ts';
import type { Address } from '../../platform/config/option.ts';
import { isMisfit, readValue } from '../../platform/config/value.ts';
import { elapsedClock } from '../../platform/run/elapsed-clock.ts';
import type { Policy } from '../../verify/policy/policy.ts';
import { Failure, usage } from '../failure.ts';
import { issueEnclaveToken, liveToken } from '../library/front/enclave-token.ts';
import type { FrontClient } from '../library/front/front-client.ts';
import { createAskAfterEnd } from '../library/session/ask-after-end.ts';
import { type AttestedConnector, createAttestedConnector } from '../library/session/attested-connector.ts';
import { type Forwarding, type ForwardOptions, forward, join } from '../library/session/forward.ts';
import { forwardHttp } from '../library/session/forward-http.ts';
import type { PinnedRoots } from '../library/trust/pinned-roots.ts';
import type { EnclaveRecord } from '../state/enclave-store.ts';
import { type EnclaveAttestation, enclaveAttestation } from './enclave-attestation.ts';
import { endingOf } from './exit-code.ts';
import { liveCredential } from './live-credential.ts';
import { heldCredential, ownCredential, ownKey } from './own-credential.ts';
import { enclaves, requireSession, type Workspace, withFront } from './workspace.ts';

export interface ConnectFlags {
  /** `[HOST:]PORT`; absent: standard input and output. */
  readonly listen?: string;
  /** Where a self-deployed enclave is, which the server does not know. */
  readonly endpoint?: string;
  readonly alpn?: string;
  /** Milliseconds. */
  readonly renewEvidence?: number;
  readonly quiet?: boolean;
}

const DEFAULT_RENEWAL_MS = 300_000;
const MIN_RENEWAL_MS = 1_000;

/**
 * `enclavectl connect ID`: gets fresh evidence from the enclave itself, verifies it, and then forwards a local port, or standard input and output, to exactly the
 * attested key. Each connection is attested with a nonce of its own, and evidence is renewed while one is open. What is said about it goes to standard error: standard output is
 * the enclave's, or one JSON line with `--listen --json`.
 */
export async function connect(workspace: Workspace, id: string, flags: ConnectFlags): Promise<void> {
  const listen = flags.listen === undefined ? undefined : listenAddress(flags.listen);
  const policy = workspace.settings.policy();
  const renewMs = renewalInterval(flags.renewEvidence, policy);
  // Without a key there is still the way of a token, for enclaves that believe front.
  const keyed = enclaves(workspace).key(id) !== undefined;
  if (listen === undefined) ownKey(workspace, id);
  await withFront(workspace, async (client, pinned) => {
    const record = await locate(workspace, client, pinned, id, flags.endpoint);
    const clock = elapsedClock();
    const endpoint = endpointOf(record);
    const credential = liveCredential({
      clock,
      held: () => heldCredential(workspace, id),
      renew: () => ownCredential(workspace, { client, pinned, trust: attestation.trust(), enclave: id }),
    });
    const token = liveToken({
      clock,
      issue: () =>
        issueEnclaveToken({
          ...{ client, enclave: id, serverName: record.serverName, signal: workspace.signal },
          token: requireSession(workspace, pinned).token,
        }),
    });
    const attestation = await enclaveAttestation(workspace, {
      ...{ client, pinned, record, endpoint, policy, clock, token },
      ...(keyed && { credential }),
      quiet: flags.quiet === true,
    });
    const refused = Promise.withResolvers<never>();
    // Whoever waits for it takes the reason; nobody does while a pipe ends by it.
    refused.promise.catch(() => undefined);
    const connector = createAttestedConnector({
      ...{ endpoint, clock, renewMs },
      serverName: record.serverName,
      alpn: (flags.alpn ?? DEFAULT_ALPN).split(','),
      signal: workspace.signal,
      evidenceMs: policy.maxAge * 1000,
      roots: () => attestation.trust().roots.enclaves,
      attest: attestation.attest,
      ...(keyed && { credential }),
      onRefused: refused.reject,
      onExpired: (connections, reason) => tell(workspace, `connections cut: ${connections}`, reason),
      onTrouble: (reason) => tell(workspace, 'evidence could not be renewed, trying again', reason),
      onEnded: createAskAfterEnd({
        ask: attestation.requireAccess,
        signal: workspace.signal,
        onOver: refused.reject,
        onTrouble: (reason) => tell(workspace, 'the enclave lets nobody in for now', reason),
      }),
    });
    await connector.attest();
    if (listen === undefined) return pipe(workspace, connector, attestation);
    const open = keyed ? forward : (port: ForwardOptions) => forwardHttp({ ...port, token });
    await forwardPort(workspace, id, listen, { connector, open, refused: refused.promise });
  });
}

interface PortForwarding {
  readonly connector: AttestedConnector;
  open(options: ForwardOptions): Promise<Forwarding>;
  readonly refused: Promise<never>;
}

/** Forwards until Ctrl-C, or until renewed evidence is refused. */
async function forwardPort(
  workspace: Workspace,
  id: string,
  listen: Address,
  { connector, open, refused }: PortForwarding,
): Promise<void> {
  const end = new AbortController();
  const { port, ended } = await open({
    listen,
    connector,
    signal: AbortSignal.any([workspace.signal, end.signal]),
    onFailure: (error) => tell(workspace, 'a connection was not made', error),
  });
  workspace.output.result({ ok: true, enclave: id, listen: `${listen.host}:${port}` }, [
    `forwarding ${listen.host}:${port} to enclave ${id}; Ctrl-C ends it`,
  ]);
  try {
    await Promise.race([ended, refused]);
  } finally {
    end.abort();
  }
}

/** To the end of either side. When the enclave has ended it because access is over, that is the reason. */
async function pipe(
  workspace: Workspace,
  connector: AttestedConnector,
  attestation: EnclaveAttestation,
): Promise<void> {
  const { stdin, stdout, signal, output } = workspace;
  const socket = await connector.connect();
  output.giveUpOutput();
  signal.addEventListener('abort', () => socket.destroy(), { once: true });
  const broken = await join(stdin, stdout, socket).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (signal.aborted) return;
  await attestation.requireAccess().catch((error: unknown) => {
    if (error instanceof Failure && error.kind === 'not-allowed') throw error;
  });
  if (broken !== undefined) throw broken.error;
}

/** Of something that does not end the command. */
function tell({ output, signal }: Workspace, what: string, error: unknown): void {
  if (signal.aborted) return;
  const { code, message } = endingOf(error, false);
  output.note(`enclavectl: ${what}: ${message} (${code})`);
}

/** At most half of what evidence may be old, so that there is time to try again. @throws Failure */
function renewalInterval(given: number | undefined, { maxAge }: Policy): number {
  if (given === undefined) return Math.min(DEFAULT_RENEWAL_MS, (maxAge * 1000) / 2);
  if (given >= MIN_RENEWAL_MS && given < maxAge * 1000) return given;
  throw usage(
    'renewal-invalid',
    `--renew-evidence must be at least 1 s, and less than the policy's maxAge of ${maxAge} s`,
    'evidence that is renewed later is too old in between; half of maxAge leaves time to try again',
  );
}

/** Where the enclave is: as given, as kept here, or as the server says. Who it is does not depend on that: the verdict judges. */
async function locate(
  workspace: Workspace,
  client: FrontClient,
  pinned: PinnedRoots,
  id: string,
  given: string | undefined,
): Promise<EnclaveRecord> {
  const store = enclaves(workspace);
  const known = store.record(id);
  const server = workspace.settings.serverText();
  if (given !== undefined) {
    const serverName = known?.serverName || `${id}.${DEFAULT_ENCLAVE_DOMAIN}`;
    return { profile: '', server, ...known, id, endpoint: given, serverName };
  }
  if (known !== undefined && known.endpoint !== '') return known;
  const { token } = requireSession(workspace, pinned);
  const { enclave } = await client.getEnclave(
    { id, nonce: Buffer.alloc(0) },
    { token, signal: workspace.signal },
  );
  if (enclave === undefined || enclave.endpoint === '')
    throw new Failure(
      'not-allowed',
      'enclave-not-ready',
      `the enclave ${id} has no endpoint yet`,
      'enclavectl status shows why',
    );
  const { profile, endpoint, serverName } = enclave;
  const record = { server, ...known, id, profile, endpoint, serverName };
  store.saveRecord(record);
  return record;
}

function endpointOf({ id, endpoint }: EnclaveRecord): Address {
  const address = readValue({ kind: 'address', help: '' }, endpoint);
  if (isMisfit(address) || typeof address !== 'object' || !('host' in address))
    throw usage(
      'endpoint-invalid',
      `the enclave ${id} has no usable endpoint (${endpoint})`,
      'write HOST:PORT',
    );
  return address;
}

/** Loopback unless a host is written. */
function listenAddress(text: string): Address {
  const [, host, port] = /^(?:\[?([^\]]+)\]?:)?(\d{1,5})$/.exec(text) ?? [];
  const number = Number(port);
  if (port === undefined || number > 65_535)
    throw usage('listen-invalid', `--listen ${text} must be [HOST:]PORT`, 'for example --listen 8080');
  return { host: host ?? '127.0.0.1', port: number };
}
