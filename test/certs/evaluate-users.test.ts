import { describe, expect, test } from 'vitest';
import { podsOfEnclave } from '../../certs/evaluate/living-pod.ts';
import { evaluateUser, readUserRequest } from '../../certs/evaluate/users.ts';
import { toBase64 } from '../../formats/bytes/base64.ts';
import { encodeGrant, GRANT_VERSION, type Grant, grantMessage } from '../../formats/evidence/grant.ts';
import { CSR_ANNOTATIONS } from '../../names/labels.ts';
import { SIGNERS } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey, type KeyPair } from '../../platform/identity/key-pair.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import { launchedEnclavePod } from './enclave-pod.ts';
import { codeOf, csrOf, NOTHING_REVOKED, NOW, read, requestOf, sha256Hex } from './support.ts';

const SETTINGS = { releaseNamespace: 'enclave-licensing' };
const USAGES = ['digital signature', 'client auth'];
const LAUNCHER = 'system:serviceaccount:enclave-licensing:enclave-launcher';
const ENCLAVE = 'eabcdefghijklmno';
const owner = generateKey();
const friend = generateKey();
const pod = launchedEnclavePod({ enclave: ENCLAVE, ownerKeySha256: sha256Hex(owner.spki) });

function grantOf(change: Partial<Grant> = {}, signer: KeyPair = owner) {
  const grant: Grant = {
    v: GRANT_VERSION,
    enclave: ENCLAVE,
    ownerKey: owner.spki,
    keySha256: sha256Hex(friend.spki),
    user: 'bob',
    notAfter: NOW + 3600,
    ...change,
  };
  const json = encodeGrant(grant);
  return {
    [CSR_ANNOTATIONS.grant]: toBase64(json),
    [CSR_ANNOTATIONS.grantSignature]: toBase64(signer.sign(grantMessage(json))),
  };
}

interface Case {
  readonly key?: KeyPair;
  readonly user?: string;
  readonly annotations?: Record<string, string>;
  readonly object?: Partial<Parameters<typeof requestOf>[1]>;
  readonly csr?: Partial<Parameters<typeof csrOf>[1]>;
  readonly pods?: readonly Pod[];
  readonly revocations?: Partial<typeof NOTHING_REVOKED>;
}

function evaluate(given: Case = {}) {
  const {
    key = owner,
    user = 'alice',
    annotations = {},
    object = {},
    pods = [pod],
    revocations = {},
  } = given;
  const request = read(
    requestOf(csrOf(key, given.csr), {
      name: `user-${ENCLAVE}-x`,
      signerName: SIGNERS.users,
      username: LAUNCHER,
      usages: USAGES,
      annotations: { [CSR_ANNOTATIONS.enclave]: ENCLAVE, [CSR_ANNOTATIONS.user]: user, ...annotations },
      ...object,
    }),
  );
  const asked = readUserRequest(nodeCrypto, request, SETTINGS);
  if (!asked.ok) return asked;
  return evaluateUser(nodeCrypto, request, asked.value, pods, { ...NOTHING_REVOKED, ...revocations }, NOW);
}

describe("a user's certificate", () => {
  test("for the owner's key", () => {
    const profile = evaluate();
    expect(profile).toMatchObject({
      ok: true,
      value: {
        issuer: 'users',
        subject: { commonName: 'alice' },
        extensions: { userBinding: { enclave: ENCLAVE, user: 'alice' } },
      },
    });
  });

  test('for a granted key, no longer than the grant, which travels in it', () => {
    const profile = evaluate({ key: friend, user: 'bob', annotations: grantOf() });
    if (!profile.ok) throw new Error(profile.message);
    expect(profile.value.notAfterLimit).toBe(NOW + 3600);
    expect(profile.value.extensions.userBinding?.grant).toBeDefined();
    expect(profile.value.extensions.userBinding?.grantSignature).toBeDefined();
  });

  test.each<[string, string, Case]>([
    ['front itself', 'requester-unknown', { object: { username: LAUNCHER.replace('launcher', 'front') } }],
    [
      'a launcher elsewhere',
      'requester-unknown',
      { object: { username: 'system:serviceaccount:x:enclave-launcher' } },
    ],
    ['server usage', 'request-usages', { object: { usages: [...USAGES, 'server auth'] } }],
    ['names', 'names-differ', { csr: { dns: ['front.enclave-licensing.internal'] } }],
    ['evidence', 'request-content', { csr: { evidence: new Uint8Array([1]) } }],
    ['no user', 'annotation-missing', { user: '' }],
    ['no enclave', 'annotation-missing', { annotations: { [CSR_ANNOTATIONS.enclave]: '' } }],
    ['a user with a line break', 'annotation-invalid', { user: 'al\nice' }],
    ['a user longer than a binding holds', 'annotation-invalid', { user: '\u{1F600}'.repeat(100) }],
    ['half a grant', 'annotation-invalid', { annotations: { [CSR_ANNOTATIONS.grant]: 'e30=' } }],
    [
      'a grant that is no base64',
      'annotation-invalid',
      { annotations: { ...grantOf(), [CSR_ANNOTATIONS.grant]: '%' } },
    ],
    ['a key of nobody', 'owner-key', { key: friend }],
    ['no pod', 'enclave-unknown', { pods: [] }],
    ['an ended pod', 'enclave-unknown', { pods: [{ ...pod, status: { phase: 'Succeeded' } } as Pod] }],
    [
      'a pod that is being deleted',
      'enclave-unknown',
      { pods: [{ ...pod, metadata: { ...pod.metadata, deletionTimestamp: '2026-11-22T00:00:00Z' } } as Pod] },
    ],
    [
      'another enclave’s pod',
      'enclave-unknown',
      { pods: [launchedEnclavePod({ enclave: 'other', ownerKeySha256: sha256Hex(owner.spki) })] },
    ],
    ['a revoked user', 'revoked', { revocations: { isUserRevoked: (user) => user === 'alice' } }],
  ])('%s: %s', (_what, code, given) => {
    expect(codeOf(evaluate(given))).toBe(code);
  });

  test.each<[string, string, Partial<Grant>, KeyPair?]>([
    ['for another enclave', 'grant-refused', { enclave: 'other' }],
    ['for another key', 'grant-refused', { keySha256: 'ab'.repeat(32) }],
    ['for another user', 'grant-refused', { user: 'carol' }],
    ['that has ended', 'grant-refused', { notAfter: NOW }],
    ['by a key that owns nothing', 'grant-refused', { ownerKey: friend.spki }, friend],
    ['that another key signed', 'grant-refused', {}, friend],
  ])('a grant %s: %s', (_what, code, change, signer) => {
    const annotations = grantOf(change, signer);
    expect(codeOf(evaluate({ key: friend, user: 'bob', annotations }))).toBe(code);
  });

  test('a revoked grant', () => {
    const isGrantRevoked = (grant: { keySha256: string }) => grant.keySha256 === sha256Hex(friend.spki);
    const revoked = { key: friend, user: 'bob', annotations: grantOf(), revocations: { isGrantRevoked } };
    expect(codeOf(evaluate(revoked))).toBe('revoked');
  });

  test('enclaves are looked for by label or by namespace, and only by what is an id', () => {
    expect(podsOfEnclave(ENCLAVE)).toEqual({ labelSelector: `enclave-licensing.dev/enclave=${ENCLAVE}` });
    expect(podsOfEnclave('team.app')).toEqual({
      namespace: 'team',
      labelSelector: 'enclave-licensing.dev/inject=enabled',
    });
    for (const id of ['', 'a,b=c', 'a b', '.x', 'Team.app', 'x'.repeat(300)])
      expect(podsOfEnclave(id), id).toBeUndefined();
  });
});
