import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { encodeBundle, MAX_BUNDLE_BYTES } from '../../formats/evidence/bundle.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import { fetchEvidence } from '../../licensing/launcher/evidence/fetch-evidence.ts';
import { EnclaveLocks } from '../../licensing/launcher/pods/enclave-locks.ts';
import { OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH } from '../../names/oids.ts';
import { EVIDENCE_ALPN } from '../../names/wire.ts';
import { createCredential } from '../../platform/identity/credential.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { serverTlsOptions } from '../../platform/tls/server-options.ts';
import { fixture } from '../support/evidence.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const NAME = 'e1.enclaves.enclave-licensing.internal';
const enclaves = createTestAuthority('enclaves');
const others = createTestAuthority('others').root;
const roots: Roots = {
  system: [others],
  enclaves: [enclaves.root],
  users: [others],
  'attestation-keys': [others],
};
const servers: Server[] = [];
afterEach(() => {
  for (const each of servers.splice(0)) {
    each.close();
    each.closeAllConnections();
  }
});

interface Answer {
  readonly authority?: typeof enclaves;
  readonly fields?: object;
  readonly alpn?: string;
  readonly handler?: (certificate: Uint8Array) => RequestListener;
}

const bundle = (der: Uint8Array): Uint8Array =>
  encodeBundle({ ...fixture().bundle, certificateChain: [der] });

/** Fetches from a sidecar that answers like this. */
async function fetchFrom({ authority = enclaves, fields = {}, alpn = EVIDENCE_ALPN, handler }: Answer) {
  const key = generateKey();
  const der = authority.certify(key.spki, {
    dns: [NAME],
    uri: ['spiffe://enclave-licensing.internal/ns/apps/sa/default'],
    extendedKeyUsage: [OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH],
    extensions: {
      enclaveBinding: { podUid: 'u1', enclave: 'e1', node: 'n', ownerKeySha256: 'ab'.repeat(32) },
    },
    ...fields,
  });
  const tls = serverTlsOptions({ credential: createCredential(key.privateKey, [der]), alpn: [alpn] });
  const server = createServer(tls, handler?.(der) ?? ((_request, response) => response.end(bundle(der))));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const source = {
    podIp: '127.0.0.1',
    podUid: 'u1',
    serverName: NAME,
    localAddress: '127.0.0.1',
    roots,
    now: Math.floor(Date.now() / 1000),
    port,
  };
  return fetchEvidence(source, new Uint8Array(16), AbortSignal.timeout(5000));
}

test('evidence of the right enclave comes back', async () => {
  expect((await fetchFrom({})).certificateChain).toHaveLength(1);
});

test('another authority, name or protocol: no request is sent', async () => {
  let asked = 0;
  const handler = () => () => {
    asked += 1;
  };
  for (const wrong of [
    { authority: createTestAuthority('enclaves') },
    { fields: { dns: ['e2.enclaves.enclave-licensing.internal'] } },
    { alpn: 'http/1.1' },
  ])
    await expect(fetchFrom({ ...wrong, handler })).rejects.toThrow();
  expect(asked).toBe(0);
});

test('another pod, role or certificate is refused', async () => {
  const binding = { podUid: 'u2', enclave: 'e1', node: 'n', ownerKeySha256: 'ab'.repeat(32) };
  for (const [wrong, message] of [
    [{ fields: { extensions: { enclaveBinding: binding } } }, /another pod/],
    [{ fields: { extendedKeyUsage: [OID_EKU_SERVER_AUTH] } }, /role/],
    [
      { handler: () => (_: unknown, response: { end(b: Uint8Array): void }) => response.end(bundle(others)) },
      /another certificate/,
    ],
  ] as const)
    await expect(fetchFrom(wrong as Answer)).rejects.toMatchObject({
      code: 'evidence-refused',
      message: expect.stringMatching(message),
    });
});

test('an answer is bounded and read strictly; the sidecar’s reason is told', async () => {
  const answer = (status: number, body: Uint8Array | string): Answer => ({
    handler: () => (_request, response) => response.writeHead(status).end(body),
  });
  for (const [wrong, message] of [
    [answer(200, Buffer.alloc(MAX_BUNDLE_BYTES + 1)), /too large/],
    [answer(200, 'not a bundle'), /bundle/],
    [answer(403, '{"title":"no","detail":"the nonce is too short"}'), /403: the nonce is too short/],
  ] as const)
    await expect(fetchFrom(wrong)).rejects.toMatchObject({
      code: 'evidence-refused',
      message: expect.stringMatching(message),
    });
  await expect(fetchFrom(answer(503, '{"detail":"the agent is away"}'))).rejects.toThrow(
    /503: the agent is away/,
  );
});

test('who comes later takes an enclave over when the one before has let go', async () => {
  const locks = new EnclaveLocks();
  const first = await locks.enter('e1');
  let entered = false;
  const second = locks.enter('e1').then((lock) => {
    entered = true;
    return lock;
  });
  const other = await locks.enter('e2');
  expect([first.signal.aborted, other.signal.aborted, entered]).toEqual([true, false, false]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(entered).toBe(false);
  first.leave();
  expect((await second).signal.aborted).toBe(false);
  (await second).leave();
  expect((await locks.enter('e1')).signal.aborted).toBe(false);
});
