import { toHex } from '../../formats/bytes/bytes.ts';
import { rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import { signTrustDocument, type TrustDocument } from '../../formats/evidence/trust-document.ts';
import { parseCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { createCredential } from '../../platform/identity/credential.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import { createRpcServer } from '../../platform/rpc/rpc-server.ts';
import type { Handlers } from '../../platform/rpc/service.ts';
import { liveValue } from '../../platform/run/live.ts';
import type { LaunchResponse } from '../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { LicensingServiceService } from '../../proto/gen/enclave_licensing/licensing/v1/licensing_service.ts';
import { ENCLAVE, type FakeEnclave, fakeEnclave, SERVER_NAME } from './client-enclave.ts';
import { fixtureCertificate, fixtureRoots, issuerKey, rootIssuer } from './fixture-certificates.ts';
import { recordingMetrics } from './recording-metrics.ts';

export type FrontHandlers = Handlers<typeof LicensingServiceService>;

export interface FakeFront {
  readonly address: string;
  readonly launchIds: string[];
  enclave(): FakeEnclave;
  /** Replaces some calls. */
  override(handlers: Partial<FrontHandlers>): void;
  close(): Promise<void>;
}

/** Whom the fake certifies: the one key and enclave asked for. */
export function userCertificate(
  spki: Uint8Array,
  enclave = ENCLAVE,
  seconds = { past: 60, left: 600 },
): Uint8Array {
  const now = Math.floor(Date.now() / 1000);
  return fixtureCertificate('users', {
    spki,
    subject: { commonName: 'alice' },
    notBefore: now - seconds.past,
    notAfter: now + seconds.left,
    extensions: { userBinding: { enclave, user: 'alice' } },
  });
}

/** Front's calls, answered from memory, with one enclave behind it. */
export async function fakeFront(cluster = 'cluster'): Promise<FakeFront> {
  const now = Math.floor(Date.now() / 1000);
  const key = generateKey();
  const fields = {
    spki: key.spki,
    notBefore: now - 60,
    notAfter: now + 3600,
    extensions: { subjectAltName: { dns: ['front.enclave-licensing.internal'], uri: [] } },
  };
  const certificate = fixtureCertificate('system', fields, rootIssuer('system', cluster));
  const launchIds: string[] = [];
  let enclave: FakeEnclave | undefined;
  const shown = () => ({
    id: ENCLAVE,
    profile: 'hello',
    namespace: 'team',
    state: 2 as const,
    phase: 7 as const,
    reason: '',
    endpoint: enclave?.endpoint ?? '',
    serverName: SERVER_NAME,
    createdAt: new Date(),
    ownerKeySha256: '',
  });
  const spkiOf = (request: Uint8Array): Uint8Array => {
    const parsed = parseCertificateRequest(request);
    if (!parsed.ok) throw new Error(parsed.message);
    return parsed.value.spki;
  };
  const authenticated = (token: string | undefined): void => {
    if (token !== 'token-of-alice')
      throw new RpcRefusal('UNAUTHENTICATED', {
        code: 'unauthenticated',
        message: 'no good token',
        remedy: 'log in',
      });
  };
  const handlers: FrontHandlers = {
    signUp: async () => ({}),
    login: async ({ password }) => {
      if (password !== 'correct horse')
        throw new RpcRefusal('UNAUTHENTICATED', {
          code: 'wrong-credentials',
          message: 'user name or password is wrong',
          remedy: 'check both',
        });
      return { token: 'token-of-alice', expiresAt: new Date(Date.now() + 3_600_000) };
    },
    launch: async function* (request, call): AsyncIterable<LaunchResponse> {
      authenticated(call.bearerToken);
      launchIds.push(toHex(request.launchId));
      const spki = spkiOf(request.certificateRequest);
      enclave ??= await fakeEnclave(toHex(nodeCrypto.hash('sha256', spki)));
      yield {
        event: { $case: 'progress', value: { enclave: ENCLAVE, phase: 1, message: 'seat', at: new Date() } },
      };
      yield {
        event: {
          $case: 'result',
          value: {
            enclave: shown(),
            bundle: enclave.bundle(request.nonce),
            userCertificateChain: [Buffer.from(userCertificate(spki))],
            profile: { name: 'hello', specJson: '{"image":"a"}' },
          },
        },
      };
    },
    getEnclave: async ({ nonce }, call) => {
      authenticated(call.bearerToken);
      return { enclave: shown(), bundle: nonce.length > 0 ? enclave?.bundle(nonce) : undefined };
    },
    listEnclaves: async (_request, call) => {
      authenticated(call.bearerToken);
      return { enclaves: enclave ? [shown()] : [], nextPageToken: '' };
    },
    stopEnclave: async () => ({ enclave: { ...shown(), state: 3 } }),
    issueUserCertificate: async ({ certificateRequest, enclave: id }, call) => {
      authenticated(call.bearerToken);
      return { certificateChain: [Buffer.from(userCertificate(spkiOf(certificateRequest), id))] };
    },
    revokeGrant: async (_request, call) => {
      authenticated(call.bearerToken);
      return { trustDocumentVersion: 7n };
    },
    issueEnclaveToken: async (_request, call) => {
      authenticated(call.bearerToken);
      const expiresAt = new Date(Date.now() + 600_000);
      return { token: 'token.for.enclave', expiresAt, serverName: SERVER_NAME };
    },
    getTrustDocument: async () => ({ trustDocument: trustDocument() }),
  };
  let overrides: Partial<FrontHandlers> = {};
  const server = createRpcServer({
    tls: liveValue({ credential: createCredential(key.privateKey, [certificate]) }),
    log: silentLogger,
    metrics: recordingMetrics(),
    maxRequestBytes: 64 * 1024,
  });
  server.add(
    LicensingServiceService,
    new Proxy(handlers, {
      get: (target, name) => (request: never, call: never) => {
        const handler = Reflect.get({ ...target, ...overrides }, name) as (
          request: never,
          call: never,
        ) => unknown;
        return handler(request, call);
      },
    }),
  );
  const port = await server.listen('127.0.0.1', 0);
  return {
    address: `127.0.0.1:${port}`,
    launchIds,
    enclave: () => {
      if (enclave === undefined) throw new Error('nothing was launched');
      return enclave;
    },
    override: (next) => {
      overrides = next;
    },
    close: async () => {
      await server.close(0);
      await enclave?.close();
    },
  };
}

/** A trust document of a cluster, signed by its `system` root. */
export function trustDocument(change: Partial<TrustDocument> = {}, cluster = 'cluster') {
  const roots = fixtureRoots(cluster);
  const signer = issuerKey('system', cluster);
  const zero = new Uint8Array(32);
  return signTrustDocument(
    nodeCrypto,
    {
      v: 'enclave-trust/1',
      version: 7,
      issuedAt: Math.floor(Date.now() / 1000),
      roots,
      rootSets: [rootsSha256(nodeCrypto, rootsToJson(roots))],
      revoked: { certificates: [], users: [], grants: [] },
      pcrSelection: { hash: 'sha256', pcrs: [0, 1, 2, 3, 4, 5, 6, 7] },
      tokenKeys: { keys: [] },
      epoch: { current: zero, previous: zero, at: 0 },
      ...change,
    },
    signer.spki,
    signer.sign,
  );
}
