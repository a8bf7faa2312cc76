import { describe, expect, test } from 'vitest';
import { breachOfEnclaveRequest, evaluateEnclave } from '../../certs/evaluate/enclaves.ts';
import { toBase64url } from '../../formats/bytes/base64.ts';
import { rootsSha256 } from '../../formats/evidence/roots.ts';
import { encodeStatement, STATEMENT_PROFILE, type Statement } from '../../formats/evidence/statement.ts';
import { specSha256 } from '../../injection/spec-sha256.ts';
import { SIGNERS } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import { APP_IMAGE, INJECTION, launchedEnclavePod, POD_UID, ROOTS_TEXT } from './enclave-pod.ts';
import { codeOf, csrOf, DOMAINS, NOTHING_REVOKED, NOW, read, requestOf, sha256Hex } from './support.ts';

const ENCLAVE = 'eabcdefghijklmno';
const OWNER = sha256Hex(generateKey().spki);
const AGENT = 'system:serviceaccount:enclave-licensing:enclave-agent';
const ROOT_SET = rootsSha256(nodeCrypto, ROOTS_TEXT);
const SETTINGS = { ...DOMAINS, releaseNamespace: 'enclave-licensing', rootSets: [ROOT_SET] };
const pod = launchedEnclavePod({ enclave: ENCLAVE, ownerKeySha256: OWNER });
const key = generateKey();

const STATEMENT: Statement = {
  eat_profile: STATEMENT_PROFILE,
  eat_nonce: toBase64url(new Uint8Array(32)),
  iat: NOW,
  sub: 'spiffe://enclave-licensing.internal/ns/team/sa/default',
  cnf: { 'spki#S256': toBase64url(nodeCrypto.hash('sha256', key.spki)) },
  pod: {
    namespace: 'team',
    name: ENCLAVE,
    uid: POD_UID,
    serviceAccount: 'default',
    node: 'node-1',
    enclave: ENCLAVE,
    images: [
      { container: 'app', image: APP_IMAGE },
      { container: 'enclave-sidecar', image: INJECTION.sidecarImage },
    ],
    specSha256: specSha256(nodeCrypto, pod.spec ?? {}),
  },
  access: {
    mode: 'tcp',
    upstream: 'unix:/run/enclave/app.sock',
    auth: 'mtls',
    ownerKeySha256: OWNER,
    rootsSha256: ROOT_SET,
  },
};

const request = (
  object: Partial<Parameters<typeof requestOf>[1]> = {},
  fields: Parameters<typeof csrOf>[1] = {},
) =>
  read(
    requestOf(csrOf(key, { evidence: new Uint8Array([1]), ...fields }), {
      name: `enclave-${POD_UID}-0a1b2c3d4e`,
      signerName: SIGNERS.enclaves,
      username: AGENT,
      usages: ['digital signature', 'server auth'],
      extra: { 'authentication.kubernetes.io/node-name': ['node-1'] },
      ...object,
    }),
  );

interface Case {
  readonly pod?: Pod | undefined;
  readonly statement?: Statement;
  readonly settings?: Partial<typeof SETTINGS>;
  readonly revocations?: Partial<typeof NOTHING_REVOKED>;
  readonly fields?: Parameters<typeof csrOf>[1];
}

function evaluate(given: Case = {}) {
  const shown = 'pod' in given ? given.pod : pod;
  const statement = given.statement ?? STATEMENT;
  encodeStatement(statement);
  return evaluateEnclave(
    nodeCrypto,
    request({}, given.fields),
    statement,
    shown,
    { ...SETTINGS, ...given.settings },
    { ...NOTHING_REVOKED, ...given.revocations },
  );
}

function changedPod(change: (pod: Pod) => void): Pod {
  const copy = structuredClone(pod);
  change(copy);
  return copy;
}

describe('who asks', () => {
  test.each<[string, string | undefined, Partial<Parameters<typeof requestOf>[1]>]>([
    ['the agent of the node', undefined, {}],
    ['a pod itself', 'requester-unknown', { username: 'system:serviceaccount:team:default' }],
    [
      'the agent of another node',
      'requester-node',
      { extra: { 'authentication.kubernetes.io/node-name': ['node-2'] } },
    ],
    ['an agent’s token without node', 'requester-node', { extra: {} }],
    ['another pod’s object', 'request-object-name', { name: 'enclave-other-0' }],
    ['no number', 'request-object-name', { name: `enclave-${POD_UID}-` }],
    ['client usage', 'request-usages', { usages: ['digital signature', 'server auth', 'client auth'] }],
  ])('%s: %s', (_what, code, object) => {
    expect(breachOfEnclaveRequest(request(object), STATEMENT, SETTINGS)?.code).toBe(code);
  });
});

describe("an enclave's certificate", () => {
  test('says what was verified of the pod', () => {
    const profile = evaluate();
    if (!profile.ok) throw new Error(profile.message);
    expect(profile.value.extensions).toMatchObject({
      subjectAltName: { dns: [`${ENCLAVE}.${DOMAINS.enclaveDomain}`], uri: [STATEMENT.sub] },
      enclaveBinding: { podUid: POD_UID, enclave: ENCLAVE, node: 'node-1', ownerKeySha256: OWNER },
    });
    const names = { dns: [`${ENCLAVE}.${DOMAINS.enclaveDomain}`], uri: [STATEMENT.sub] };
    expect(codeOf(evaluate({ fields: names }))).toBe('ok');
    const reversed = { ...STATEMENT.pod, images: [...STATEMENT.pod.images].reverse() };
    expect(codeOf(evaluate({ statement: { ...STATEMENT, pod: reversed } }))).toBe('ok');
  });

  test.each<[string, string, Case]>([
    ['no pod', 'pod-missing', { pod: undefined }],
    [
      'another pod of that name',
      'pod-missing',
      { pod: changedPod((p) => Object.assign(p.metadata ?? {}, { uid: 'other' })) },
    ],
    ['a pod that ended', 'pod-ended', { pod: { ...pod, status: { phase: 'Failed' } } as Pod }],
    [
      'a pod on another node',
      'pod-node',
      { pod: changedPod((p) => Object.assign(p.spec ?? {}, { nodeName: 'node-2' })) },
    ],
    ['a pod on no node', 'pod-node', { pod: changedPod((p) => delete p.spec?.nodeName) }],
    ['a revoked pod', 'revoked', { revocations: { isPodRevoked: (uid) => uid === POD_UID } }],
    [
      'a pod without sidecar',
      'pod-sidecar',
      { pod: changedPod((p) => Object.assign(p.spec ?? {}, { initContainers: [] })) },
    ],
    [
      'a pod without label',
      'pod-sidecar',
      { pod: changedPod((p) => Object.assign(p.metadata ?? {}, { labels: {} })) },
    ],
    ['a sidecar of another domain', 'pod-sidecar', { settings: { enclaveDomain: 'other.example' } }],
    ['roots that nobody named', 'roots-unknown', { settings: { rootSets: ['ab'.repeat(32)] } }],
    ['foreign names', 'names-differ', { fields: { dns: ['other.enclaves.enclave-licensing.internal'] } }],
  ])('%s: %s', (_what, code, given) => {
    expect(codeOf(evaluate(given))).toBe(code);
  });

  const other = 'ab'.repeat(32);
  test.each<[string, Partial<Statement['pod']>, Partial<Statement['access']>]>([
    ['pod.enclave', { enclave: 'other' }, {}],
    ['pod.specSha256', { specSha256: other }, {}],
    ['pod.images', { images: [{ container: 'app', image: `registry.example/app@sha256:${other}` }] }, {}],
    ['pod.images', { images: STATEMENT.pod.images.slice(1) }, {}],
    ['access.mode', {}, { mode: 'http' }],
    ['access.upstream', {}, { upstream: '8080' }],
    ['access.ownerKeySha256', {}, { ownerKeySha256: other }],
    ['access.rootsSha256', {}, { rootsSha256: other }],
  ])('a statement with another %s', (member, inPod, access) => {
    const statement = {
      ...STATEMENT,
      pod: { ...STATEMENT.pod, ...inPod },
      access: { ...STATEMENT.access, ...access },
    };
    const refusal = evaluate({ statement });
    expect(refusal).toMatchObject({ ok: false, code: 'pod-differs' });
    if (!refusal.ok) expect(refusal.message).toContain(member);
  });

  test('a pod whose service account or image changed since the quote', () => {
    const account = changedPod((p) => Object.assign(p.spec ?? {}, { serviceAccountName: 'other' }));
    expect(codeOf(evaluate({ pod: account }))).toBe('pod-differs');
    const image = changedPod((p) =>
      Object.assign(p.spec?.containers[0] ?? {}, { image: `${APP_IMAGE.slice(0, -1)}0` }),
    );
    expect(codeOf(evaluate({ pod: image }))).toBe('pod-differs');
  });
});
