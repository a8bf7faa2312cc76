import { execFileSync } from 'node:child_process';
import { createPublicKey, randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { enrol } from '../../agent/enrolment/enrol.ts';
import { createNodeRegistry } from '../../certs/enrolment/node-registry.ts';
import { rootsToJson } from '../../formats/evidence/roots.ts';
import { publicToSpki } from '../../formats/tpm/public.ts';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { CSR_ANNOTATIONS } from '../../names/labels.ts';
import { OID_EKU_AK, OID_EKU_TCG_AIK, OID_TPM_TRUST } from '../../names/oids.ts';
import { SIGNERS } from '../../names/signers.ts';
import { ENROLMENT_AUDIENCE } from '../../names/wire.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey, type KeyPair } from '../../platform/identity/key-pair.ts';
import { requestCertificate } from '../../platform/identity/request-certificate.ts';
import { ATTESTED_NODES } from '../../platform/kube/attested-nodes.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { NODES, PODS, type Pod, SECRETS } from '../../platform/kube/resources.ts';
import { createRpcClient } from '../../platform/rpc/rpc-client.ts';
import { EnrolmentServiceService } from '../../proto/gen/enclave_licensing/enrolment/v1/enrolment_service.ts';
import { loadAttestationKey } from '../../tpm/attestation-key.ts';
import { loadEndorsementKey } from '../../tpm/endorsement-key.ts';
import { TpmExecutor } from '../../tpm/executor.ts';
import { flush } from '../../tpm/objects.ts';
import { openTransport } from '../../tpm/transport/open-transport.ts';
import { verifyChain } from '../../verify/certificate-chain.ts';
import { type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { ensure, RELEASE, startTestCluster, type TestCluster } from './cluster.ts';
import { INJECTION, launchedEnclavePod } from './enclave-pod.ts';
import { quotedEvidence } from './quoted-evidence.ts';
import { openSession, patience, refusalOf, type Session, seconds } from './session.ts';
import { sha256Hex } from './support.ts';

const BINDING = 'enclave-licensing.dev/node-binding';
const ENCLAVE = 'eabcdefghijklmno';

let swtpm: Swtpm;
let tpm: TpmExecutor;
let cluster: TestCluster;
let session: Session;

beforeAll(async () => {
  [swtpm, cluster] = await Promise.all([startSwtpm(), startTestCluster()]);
  const emulated = join(cluster.folder, 'ek-roots', 'emulated');
  mkdirSync(emulated, { recursive: true });
  for (const file of ['issuercert.pem', 'swtpm-localca-rootca-cert.pem'])
    cpSync(join(swtpm.caFolder, file), join(emulated, file));
  tpm = new TpmExecutor(await openTransport(swtpm.address));
  for (const name of ['node-1', 'node-2']) await ensure(cluster.admin, NODES, { metadata: { name } });
  for (const [name, nodeName] of [
    ['agent-1', 'node-1'],
    ['agent-2', 'node-2'],
  ] as const)
    await ensure(cluster.admin, PODS, {
      metadata: { name, namespace: RELEASE },
      spec: { serviceAccountName: 'enclave-agent', nodeName, containers: [{ name: 'agent', image: 'x' }] },
    });
  session = await openSession(cluster);
}, 60_000);

afterAll(async () => {
  await session?.stop();
  await tpm?.close();
  await cluster?.close();
  await swtpm?.remove();
});

async function enrolAs(pod: { name: string }, audience = ENROLMENT_AUDIENCE, account = 'enclave-agent') {
  const client = createRpcClient(EnrolmentServiceService, session.clientOptions());
  try {
    const attestationKey = await loadAttestationKey(tpm);
    return await enrol(
      { tpm, attestationKey },
      {
        client,
        crypto: nodeCrypto,
        roots: session.roots,
        now: Math.floor(Date.now() / 1000),
        token: await cluster.token(account, [audience], account === 'enclave-agent' ? pod : undefined),
        signal: patience(),
      },
    );
  } finally {
    client.close();
  }
}

describe('enrolment', () => {
  test('needs the agent’s own token, for this audience, of a node', async () => {
    expect(await refusalOf(enrolAs({ name: 'agent-1' }, 'another-audience'))).toBe('token-refused');
    expect(await refusalOf(enrolAs({ name: 'none' }, ENROLMENT_AUDIENCE, 'enclave-front'))).toBe(
      'token-refused',
    );
  });

  test('one TPM is one node', async () => {
    const enrolled = await enrolAs({ name: 'agent-1' });
    if (!enrolled.ok) throw new Error(enrolled.message);
    const chain = verifyChain(nodeCrypto, enrolled.value.chain, {
      roots: session.roots,
      role: 'attestation-keys',
      now: seconds(),
    });
    expect(chain).toMatchObject({
      ok: true,
      value: { commonName: 'node-1', extensions: { tpmTrust: { how: 'emulated' } } },
    });
    expect(await refusalOf(enrolAs({ name: 'agent-2' }))).toBe('ek-of-another-node');
    const node = await cluster.admin.get(ATTESTED_NODES, { name: 'node-1' });
    expect(node?.spec).toMatchObject({ node: 'node-1', tpmTrust: 'emulated' });
    expect(node?.status?.attestationKeys).toHaveLength(1);
    // The binding outlives the object.
    await cluster.admin.delete(ATTESTED_NODES, { name: 'node-1' });
    expect(await refusalOf(enrolAs({ name: 'agent-2' }))).toBe('ek-of-another-node');
    expect((await enrolAs({ name: 'agent-1' })).ok).toBe(true);
    const secrets = (await cluster.admin.list(SECRETS, { namespace: RELEASE })).items;
    expect(secrets.filter(({ type }) => type === BINDING)).toHaveLength(2);
  });

  test('the attestation key’s certificate says what it should, as openssl reads it', async () => {
    const enrolled = await enrolAs({ name: 'agent-1' });
    if (!enrolled.ok) throw new Error(enrolled.message);
    const file = join(swtpm.folder, 'ak.der');
    writeFileSync(file, enrolled.value.chain[0] ?? new Uint8Array());
    const openssl = (...args: string[]): string =>
      execFileSync('openssl', [...args, '-inform', 'der', '-in', file], { encoding: 'utf8' });
    const text = openssl('x509', '-noout', '-text');
    const [, usages = ''] = /Extended Key Usage:.*\n +(.*)\n/.exec(text) ?? [];
    expect(usages.split(', ').sort()).toEqual([OID_EKU_AK, OID_EKU_TCG_AIK].sort());
    expect(text).toContain('Subject: CN = node-1\n');
    expect(text).toMatch(/Basic Constraints: critical\n +CA:FALSE\n/);
    expect(text).toMatch(/Key Usage: critical\n +Digital Signature\n/);
    const ek = await loadEndorsementKey(tpm);
    if (ek.transient) await flush(tpm, ek.handle);
    const spki = publicToSpki(ek.public);
    if (!spki.ok) throw new Error(spki.message);
    // TPM trust: hash of the endorsement key, and how it was trusted.
    const extension = openssl('asn1parse').split(`:${OID_TPM_TRUST}\n`)[1]?.split('\n')[0];
    const emulated = '0a0102';
    expect(extension?.toLowerCase()).toContain(`30250420${sha256Hex(spki.value)}${emulated}`);
    const spkiInside = openssl('x509', '-noout', '-pubkey');
    const ak = publicToSpki((await loadAttestationKey(tpm)).public);
    expect(createPublicKey(spkiInside).export({ type: 'spki', format: 'der' })).toEqual(
      Buffer.from(ak.ok ? ak.value : []),
    );
  });

  test('one node is one TPM', async () => {
    const registry = createNodeRegistry(await cluster.as('enclave-certs'), RELEASE, Date.now);
    const bind = (node: string, digit: string) =>
      registry.bind(node, { ekSha256: digit.repeat(64), how: 'emulated' });
    expect(await bind('node-1', '1')).toMatchObject({ code: 'node-has-another-ek' });
    expect(await registry.isBound('node-1', '1'.repeat(64))).toBe(false);
    // Two at once: one of them is the node's TPM, and stays it.
    const both = await Promise.all([bind('node-3', '2'), bind('node-3', '3')]);
    expect(both.filter(({ ok }) => ok)).toHaveLength(1);
    const [first, second] = [await bind('node-3', '2'), await bind('node-3', '3')];
    expect([first.ok, second.ok]).toEqual(both.map(({ ok }) => ok));
  });
});

describe('an enclave', () => {
  const owner = generateKey();
  let pod: Pod;
  let agent: Kube;
  let akChain: readonly Uint8Array[];

  beforeAll(async () => {
    const enrolled = await enrolAs({ name: 'agent-1' });
    if (!enrolled.ok) throw new Error(enrolled.message);
    akChain = enrolled.value.chain;
    agent = await cluster.as('enclave-agent', { name: 'agent-1' });
    const made = launchedEnclavePod(
      { enclave: ENCLAVE, ownerKeySha256: sha256Hex(owner.spki) },
      { ...INJECTION, roots: rootsToJson(session.roots) },
    );
    const { uid: _, ...metadata } = made.metadata ?? {};
    pod = await cluster.admin.create(PODS, { ...made, metadata });
  });

  const evidence = (key: KeyPair, nonce: Uint8Array) =>
    quotedEvidence(
      {
        tpm,
        akChain,
        pod,
        enclave: ENCLAVE,
        ownerKeySha256: sha256Hex(owner.spki),
        rootsText: rootsToJson(session.roots),
      },
      key.spki,
      nonce,
    );

  async function certify(kube: Kube, key: KeyPair, proof: Uint8Array) {
    const request = buildCertificateRequest({ spki: key.spki, evidence: proof }, key.sign, key.scheme);
    const name = `enclave-${pod.metadata?.uid}-${randomBytes(5).toString('hex')}`;
    const usages = ['digital signature', 'server auth'];
    return requestCertificate(kube, { name, signerName: SIGNERS.enclaves, usages, request }, patience());
  }

  test("gets its certificate for a key that this node's TPM quoted, in this epoch, and for no other", async () => {
    const watcher = await session.trustClient('enclave-launcher');
    const { epoch } = await session.document(watcher);
    const key = generateKey();
    const proof = await evidence(key, epoch.current);
    const chain = await certify(agent, key, proof);
    const dnsName = `${ENCLAVE}.enclaves.enclave-licensing.internal`;
    const verified = verifyChain(nodeCrypto, chain, {
      roots: session.roots,
      role: 'enclaves',
      now: seconds(),
      dnsName,
    });
    if (!verified.ok) throw new Error(verified.message);
    expect(verified.value.extensions.enclaveBinding).toEqual({
      podUid: pod.metadata?.uid,
      enclave: ENCLAVE,
      node: 'node-1',
      ownerKeySha256: sha256Hex(owner.spki),
    });

    expect(await refusalOf(certify(agent, generateKey(), proof))).toBe('evidence-refused');
    const stale = await evidence(key, new Uint8Array(randomBytes(32)));
    expect(await refusalOf(certify(agent, key, stale))).toBe('evidence-refused');
    const stranger = await cluster.as('enclave-agent', { name: 'agent-2' });
    expect(await refusalOf(certify(stranger, key, proof))).toBe('requester-node');
  });

  test('gets none on a node that was released, until its agent enrols again', async () => {
    const { items } = await cluster.admin.list(SECRETS, { namespace: RELEASE });
    const binding = items.find(
      ({ type, metadata }) => type === BINDING && metadata?.name?.startsWith('node-'),
    );
    await cluster.admin.delete(SECRETS, { name: binding?.metadata?.name ?? '', namespace: RELEASE });
    const { epoch } = await session.document(await session.trustClient('enclave-launcher'));
    const key = generateKey();
    const proof = await evidence(key, epoch.current);
    expect(await refusalOf(certify(agent, key, proof))).toBe('node-unbound');
    expect((await enrolAs({ name: 'agent-1' })).ok).toBe(true);
    expect(await refusalOf(certify(agent, key, proof))).toBe('ok');
  });

  test('its owner gets a certificate, others do not', async () => {
    const launcher = await cluster.as('enclave-launcher');
    const ask = (key: KeyPair) =>
      requestCertificate(
        launcher,
        {
          name: `user-${ENCLAVE}-${randomBytes(5).toString('hex')}`,
          signerName: SIGNERS.users,
          usages: ['digital signature', 'client auth'],
          request: buildCertificateRequest({ spki: key.spki }, key.sign, key.scheme),
          annotations: { [CSR_ANNOTATIONS.enclave]: ENCLAVE, [CSR_ANNOTATIONS.user]: 'alice' },
        },
        patience(),
      );
    const verified = verifyChain(nodeCrypto, await ask(owner), {
      roots: session.roots,
      role: 'users',
      now: seconds(),
    });
    expect(verified).toMatchObject({
      ok: true,
      value: { extensions: { userBinding: { enclave: ENCLAVE, user: 'alice' } } },
    });
    expect(await refusalOf(ask(generateKey()))).toBe('owner-key');
  });

  test("is revoked by its own node's agent, and gets no certificate afterwards", async () => {
    const own = await session.trustClient('enclave-agent', { name: 'agent-1' });
    const other = await session.trustClient('enclave-agent', { name: 'agent-2' });
    const podUid = pod.metadata?.uid ?? '';
    const { namespace = '', name = '' } = pod.metadata ?? {};
    const value = { podUid, certificate: new Uint8Array(0), namespace, pod: name };
    const subject = { $case: 'certificate', value } as const;
    expect(await refusalOf(other.revoke({ subject }))).toBe('revocation-foreign');
    const { version } = await own.revoke({ subject });
    const published = await session.document(other, Number(version) - 1);
    expect(published.revoked.certificates).toMatchObject([{ podUid }]);
    const key = generateKey();
    expect(await refusalOf(certify(agent, key, await evidence(key, published.epoch.current)))).toBe(
      'revoked',
    );
  });
});
