import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { issuerOf, readRequest } from '../../certs/evaluate/request.ts';
import { evaluateSystem, namesOf } from '../../certs/evaluate/system.ts';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { SIGNERS } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { codeOf, csrOf, read, removeFolders, requestOf, temporaryFolder } from './support.ts';

afterAll(removeFolders);

const SETTINGS = { releaseNamespace: 'enclave-licensing', frontNames: ['licensing.example.com'] };
const USAGES = ['digital signature', 'server auth', 'client auth'];
const NODE = { 'authentication.kubernetes.io/node-name': ['node-1'] };
const FRONT = [
  'front.enclave-licensing.internal',
  'enclave-front.enclave-licensing.svc',
  'licensing.example.com',
];
const user = (name: string) => `system:serviceaccount:enclave-licensing:${name}`;

function ask(
  fields: Partial<Parameters<typeof buildCertificateRequest>[0]> = {},
  object: Partial<Parameters<typeof requestOf>[1]> = {},
) {
  const base = { signerName: SIGNERS.system, username: user('enclave-front'), usages: USAGES };
  return requestOf(csrOf(generateKey(), fields), { ...base, ...object });
}

const evaluate = (...parameters: Parameters<typeof ask>) =>
  evaluateSystem(read(ask(...parameters)), SETTINGS);

/** A request by OpenSSL, with these lines of configuration. */
function opensslRequest(lines: string): Uint8Array {
  const folder = temporaryFolder();
  const config = join(folder, 'req.cnf');
  writeFileSync(config, `[req]\nprompt = no\ndistinguished_name = name\n${lines}\n[name]\nCN = x\n`);
  return new Uint8Array(
    execFileSync(
      'openssl',
      [
        ...[
          'req',
          '-new',
          '-config',
          config,

          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
        ],
        ...['-nodes', '-keyout', join(folder, 'key.pem'), '-outform', 'DER'],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    ),
  );
}

describe('what holds for every request', () => {
  test('a good one is read', () => {
    expect(codeOf(readRequest(nodeCrypto, ask()))).toBe('ok');
    expect(codeOf(readRequest(nodeCrypto, requestOf(csrOf(generateKey('p384')), ask())))).toBe('ok');
  });

  test('one PEM block of a request, and nothing else', () => {
    const good = ask();
    const pem = Buffer.from(good.request, 'base64').toString();
    for (const text of [
      '',
      'hello',
      pem + pem,
      `${pem}rest`,
      pem.replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE'),
    ]) {
      const request = Buffer.from(text).toString('base64');
      expect(codeOf(readRequest(nodeCrypto, { ...good, request })), text).toBe('request-malformed');
    }
    expect(codeOf(readRequest(nodeCrypto, { ...good, request: `${good.request} ` }))).toBe(
      'request-malformed',
    );
    const der = csrOf();
    const longer = new Uint8Array([...der, 0]);
    expect(codeOf(readRequest(nodeCrypto, requestOf(longer, good)))).toBe('request-malformed');
  });

  test('signed by the key that it names', () => {
    const [key, other] = [generateKey(), generateKey()];
    const forged = buildCertificateRequest({ spki: key.spki }, other.sign, key.scheme);
    expect(codeOf(readRequest(nodeCrypto, requestOf(forged, ask())))).toBe('request-signature');
  });

  test('P-256 or P-384', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
    const rsa = buildCertificateRequest(
      { spki },
      (info) => new Uint8Array(sign('sha256', info, privateKey)),
      'rsassa-sha256',
    );
    expect(codeOf(readRequest(nodeCrypto, requestOf(rsa, ask())))).toBe('request-key');
  });

  test('our three signers, and no other', () => {
    expect(issuerOf('tcsclusterissuer.tcs.intel.com/system')).toBe('system');
    for (const name of [
      'tcsclusterissuer.tcs.intel.com/attestation-keys',
      'kubernetes.io/kube-apiserver-client',
      '',
    ])
      expect(issuerOf(name), name).toBeUndefined();
  });
});

describe("a component's own certificate", () => {
  test('names are the ones of who asks: left out, or said exactly', () => {
    for (const dns of [[], FRONT, [...FRONT].reverse()]) {
      const profile = evaluate({ dns });
      expect(codeOf(profile)).toBe('ok');
      if (profile.ok) expect(profile.value.extensions.subjectAltName).toEqual({ dns: FRONT, uri: [] });
    }
    const agent = evaluate({}, { username: user('enclave-agent'), extra: NODE });
    if (!agent.ok) throw new Error(agent.message);
    expect(agent.value.extensions.subjectAltName?.dns).toEqual(['agent.node-1.enclave-licensing.internal']);
    expect(namesOf('webhook', undefined, SETTINGS)).toEqual([
      'webhook.enclave-licensing.internal',
      'enclave-webhook.enclave-licensing.svc',
    ]);
  });

  test.each([
    ['another namespace', { username: 'system:serviceaccount:default:enclave-front' }],
    ['a person', { username: 'kubernetes-admin' }],
    ['no name', { username: '' }],
    ['an unknown account', { username: user('enclave-sidecar') }],
    ['the certificate service, which signs for itself', { username: user('enclave-certs') }],
  ])('%s is refused', (_what, object) => {
    expect(codeOf(evaluate({}, object))).toBe('requester-unknown');
  });

  test.each([
    ['no node', {}],
    ['two nodes', { 'authentication.kubernetes.io/node-name': ['node-1', 'node-2'] }],
    ['an empty node', { 'authentication.kubernetes.io/node-name': [''] }],
    ['no node name', { 'authentication.kubernetes.io/node-name': ['node_1/../..'] }],
    [
      'one too long',
      { 'authentication.kubernetes.io/node-name': [`${'a'.repeat(60)}.`.repeat(4).slice(0, -1)] },
    ],
  ])('an agent with %s is refused', (_what, extra) => {
    expect(codeOf(evaluate({}, { username: user('enclave-agent'), extra }))).toBe('requester-node');
  });

  test('foreign names are refused, one by one', () => {
    const others: Parameters<typeof ask>[0][] = [
      { dns: [...FRONT, 'evil.example'] },
      { dns: FRONT.slice(1) },
      { dns: ['agent.node-1.enclave-licensing.internal'] },
      { dns: [FRONT[0] ?? '', FRONT[0] ?? '', FRONT[1] ?? ''] },
      { dns: FRONT, uri: ['spiffe://enclave-licensing.internal/ns/a/sa/b'] },
    ];
    for (const fields of others)
      expect(codeOf(evaluate(fields)), JSON.stringify(fields)).toBe('names-differ');
    const agent = { username: user('enclave-agent'), extra: NODE };
    expect(codeOf(evaluate({ dns: ['agent.node-2.enclave-licensing.internal'] }, agent))).toBe(
      'names-differ',
    );
  });

  test('usages: exactly those listed', () => {
    for (const usages of [
      [],
      ['digital signature'],
      [...USAGES, 'cert sign'],
      ['digital signature', 'server auth', 'server auth'],
      [...USAGES, 'server auth'],
    ])
      expect(codeOf(evaluate({}, { usages })), String(usages)).toBe('request-usages');
  });

  test.each([
    ['keyUsage', 'req_extensions = more\n[more]\nkeyUsage = keyCertSign'],
    ['basicConstraints', 'req_extensions = more\n[more]\nbasicConstraints = CA:TRUE'],
    ['1.2.3.4', 'req_extensions = more\n[more]\n1.2.3.4 = ASN1:NULL'],
    ['1.2.840.113549.1.9.7', 'attributes = more\n[more]\nchallengePassword = secret'],
  ])('nothing else inside, as OpenSSL writes it: no %s', (what, lines) => {
    const refusal = evaluateSystem(read(requestOf(opensslRequest(lines), ask())), SETTINGS);
    expect(refusal).toMatchObject({ ok: false, code: 'request-content' });
    if (!refusal.ok) expect(refusal.message).toContain(what);
  });

  test('nothing else inside: no evidence, no organization', () => {
    expect(codeOf(evaluate({ evidence: new Uint8Array([1]) }))).toBe('request-content');
    expect(codeOf(evaluate({ subject: { organizations: ['system:masters'] } }))).toBe('request-content');
    expect(codeOf(evaluate({ subject: { organizations: ['o'], commonName: 'x' } }))).toBe('request-content');
    // A common name is for people, and not taken over.
    const named = evaluate({ subject: { commonName: 'certs.enclave-licensing.internal' } });
    expect(named).toMatchObject({ ok: true, value: { subject: {} } });
  });
});
