import { randomBytes } from 'node:crypto';
import { DEFAULT_ENCLAVE_DOMAIN } from '../../names/components.ts';
import { DEFAULT_ALPN } from '../../names/wire.ts';
import type { Address } from '../../platform/config/option.ts';
import { isMisfit, readValue } from '../../platform/config/value.ts';
import { systemClock } from '../../platform/run/clock.ts';
import { Failure, usage } from '../failure.ts';
import { requireAccess } from '../library/access-decision.ts';
import { attest } from '../library/attest.ts';
import { type AttestedConnector, createAttestedConnector } from '../library/attested-connector.ts';
import { expectedSpecs } from '../library/expected-spec.ts';
import { fetchEvidence } from '../library/fetch-evidence.ts';
import { forward, join } from '../library/forward.ts';
import type { FrontClient } from '../library/front-client.ts';
import { keySha256 } from '../library/owner-key.ts';
import type { PinnedRoots } from '../library/pinned-roots.ts';
import { refreshTrust } from '../library/trust.ts';
import type { EnclaveRecord } from '../state/enclave-store.ts';
import { endingOf } from './exit-code.ts';
import { bytesOf, ownCredential, ownKey } from './own-credential.ts';
import { refusedVerdict, verdictLine, verdictLines, verdictObject } from './print-verdict.ts';
import { enclaves, requireSession, trustStore, type Workspace, withFront } from './workspace.ts';

export interface ConnectFlags {
  /** `[HOST:]PORT`; absent: standard input and output. */
  readonly listen?: string;
  /** Where a self-deployed enclave is, which the server does not know. */
  readonly endpoint?: string;
  readonly alpn?: string;
  readonly quiet?: boolean;
}

/**
 * `enclavectl connect ID`: gets fresh evidence from the enclave itself, verifies it, and then forwards a local port, or standard input and output, to exactly the
 * attested key. What is said about it goes to standard error: standard output is the enclave's, or one JSON line with `--listen --json`.
 */
export async function connect(workspace: Workspace, id: string, flags: ConnectFlags): Promise<void> {
  const { output, signal } = workspace;
  const listen = flags.listen === undefined ? undefined : listenAddress(flags.listen);
  ownKey(workspace, id);
  await withFront(workspace, async (client, pinned) => {
    const record = await locate(workspace, client, pinned, id, flags.endpoint);
    const connector = await attestedConnector(workspace, client, pinned, record, flags);
    await connector.attest();
    if (listen === undefined) return pipe(workspace, connector);
    const { port, ended } = await forward({
      listen,
      connector,
      signal,
      onFailure: (error) => {
        const { code, message } = endingOf(error, false);
        output.note(`enclavectl: a connection was not made: ${message} (${code})`);
      },
    });
    output.result({ ok: true, enclave: id, listen: `${listen.host}:${port}` }, [
      `forwarding ${listen.host}:${port} to enclave ${id}; Ctrl-C ends it`,
    ]);
    await ended;
  });
}

async function pipe({ stdin, stdout, signal }: Workspace, connector: AttestedConnector): Promise<void> {
  const socket = await connector.connect();
  signal.addEventListener('abort', () => socket.destroy(), { once: true });
  await join(stdin, stdout, socket);
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

async function attestedConnector(
  workspace: Workspace,
  client: FrontClient,
  pinned: PinnedRoots,
  record: EnclaveRecord,
  flags: ConnectFlags,
): Promise<AttestedConnector> {
  const { settings, output, signal } = workspace;
  const policy = settings.policy();
  const store = trustStore(workspace, pinned);
  const endpoint = endpointOf(record);
  const owner = keySha256(ownKey(workspace, record.id));
  let trust = await refreshTrust(client, pinned, store, signal);
  const credential = () => ownCredential(workspace, { client, pinned, trust, enclave: record.id });

  /** Later verdicts are remarks: the command's one answer is given by then. */
  let begun = false;
  const attestNow = async (): Promise<Uint8Array> => {
    trust = await refreshTrust(client, pinned, store, signal);
    const nonce = new Uint8Array(randomBytes(32));
    const { bundle, liveCertificate } = await fetchEvidence(endpoint, record.serverName, nonce, signal);
    const specs =
      record.profileSpec === undefined
        ? undefined
        : expectedSpecs(policy, {
            enclave: record.id,
            ownerKeySha256: owner,
            profileSpec: JSON.parse(record.profileSpec),
            rootsTexts: trust.rootsTexts,
            serverName: record.serverName,
          });
    const verdict = attest(bundle, {
      policy,
      trust,
      nonce,
      now: workspace.now(),
      ownerKeySha256: owner,
      enclave: record.id,
      liveCertificate,
      seen: store.seen(),
      ...(record.grant && {
        grant: { grant: bytesOf(record.grant.grant), signature: bytesOf(record.grant.signature) },
      }),
      ...(specs?.ok && { specSha256: specs.value }),
    });
    if (!verdict.ok) {
      if (!begun) output.result(verdictObject(verdict), []);
      for (const line of verdictLines(verdict, output.width)) output.note(line);
      throw refusedVerdict(verdict);
    }
    if (flags.quiet !== true) output.note(verdictLine(verdict));
    store.remember(verdict.remember);
    enclaves(workspace).saveBundle(record.id, bundle);
    // Now it is known who answers; before the first data connection, whether it lets us in.
    const enclave = {
      endpoint,
      serverName: record.serverName,
      roots: trust.roots.enclaves,
      certificate: liveCertificate,
    };
    await requireAccess(enclave, await credential(), signal);
    begun = true;
    return liveCertificate;
  };

  return createAttestedConnector({
    endpoint,
    serverName: record.serverName,
    roots: trust.roots.enclaves,
    alpn: (flags.alpn ?? DEFAULT_ALPN).split(','),
    signal,
    clock: systemClock,
    evidenceMs: policy.maxAge * 1000,
    attest: attestNow,
    credential,
  });
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
