import { afterEach, expect, test } from 'vitest';
import { parseCertificateRequest, verifyRequestSignature } from '../../formats/x509/certificate-request.ts';
import { decodePem, encodePem } from '../../formats/x509/pem.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { createCredential } from '../../platform/identity/credential.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { obtainIdentity } from '../../platform/identity/obtain-identity.ts';
import { renewalTime } from '../../platform/identity/renewal-time.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import {
  type ScriptedApiServer,
  type ScriptedCall,
  scriptedApiServer,
} from '../support/scripted-api-server.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const authority = createTestAuthority();
const servers: ScriptedApiServer[] = [];
afterEach(async () => {
  for (const each of servers.splice(0)) {
    each.kube.close();
    await each.stop();
  }
});

interface Csr {
  metadata: { name: string };
  spec: { request: string; signerName: string; usages: string[] };
}

/** Takes a request from the wire: checks it, and answers the creation. */
async function taken(call: ScriptedCall): Promise<{ object: Csr; spki: Uint8Array; dns: readonly string[] }> {
  expect([call.method, call.path]).toEqual([
    'POST',
    '/apis/certificates.k8s.io/v1/certificatesigningrequests',
  ]);
  const object = call.body as Csr;
  const der = decodePem('CERTIFICATE REQUEST', Buffer.from(object.spec.request, 'base64').toString());
  const request = der.ok ? parseCertificateRequest(der.value[0] ?? new Uint8Array()) : der;
  if (!request.ok) throw new Error(request.message);
  expect(verifyRequestSignature(nodeCrypto, request.value)).toBe(true);
  call.answer(201, object);
  const dns = request.value.attributes.extensionRequest?.subjectAltName?.dns ?? [];
  return { object, spki: request.value.spki, dns };
}

function signed(spki: Uint8Array, seconds: { notBefore: number; notAfter: number }): object {
  const pem = encodePem(
    'CERTIFICATE',
    authority.certify(spki, { dns: ['front.enclave-licensing.internal'], ...seconds }),
  );
  return {
    status: {
      conditions: [{ type: 'Approved', status: 'True' }],
      certificate: Buffer.from(pem).toString('base64'),
    },
  };
}

test('a denial, a server that is away and a late signature are waited out; renewal comes at two thirds', async () => {
  const scripted = await scriptedApiServer();
  servers.push(scripted);
  const abort = new AbortController();
  let now = 1_700_000_000_000;
  const states: boolean[] = [];
  const obtained = obtainIdentity({
    kube: scripted.kube,
    component: 'front',
    dnsNames: ['front.enclave-licensing.internal'],
    log: silentLogger,
    signal: abort.signal,
    clock: { now: () => now },
    onRenewal: ({ ok }) => states.push(ok),
  });
  const first = await taken(await scripted.next());
  expect(first.object.metadata.name).toMatch(/^component-front-[0-9a-f]{10}$/);
  expect(first.object.spec).toMatchObject({
    signerName: 'tcsclusterissuer.tcs.intel.com/system',
    usages: ['digital signature', 'server auth', 'client auth'],
  });
  expect(first.dns).toEqual(['front.enclave-licensing.internal']);
  (await scripted.next()).answer(200, {
    status: { conditions: [{ type: 'Denied', status: 'True', reason: 'no', message: 'not you' }] },
  });

  (await scripted.next()).response.destroy();
  const second = await taken(await scripted.next());
  // A new key each time: what was denied or lost is not used again.
  expect(Buffer.from(second.spki)).not.toEqual(Buffer.from(first.spki));
  (await scripted.next()).answer(200, { status: {} });
  // Three seconds long, begun two seconds ago: renewed at once.
  const seconds = now / 1000;
  (await scripted.next()).answer(200, signed(second.spki, { notBefore: seconds - 2, notAfter: seconds + 1 }));
  const identity = await obtained;
  const changed = new Promise((resolve) => identity.onChange(resolve));

  const third = await taken(await scripted.next());
  now += 500;
  (await scripted.next()).answer(200, signed(third.spki, { notBefore: seconds, notAfter: seconds + 86_400 }));
  await changed;
  expect(identity.current().notAfter).toBe(seconds + 86_400);
  expect(states).toEqual([false, false, true, true]);
  abort.abort();
});

test('the time of renewal', () => {
  const day = { notBefore: 1000, notAfter: 1000 + 86_400 };
  expect(renewalTime(day, 0)).toBe(1000 + 57_600);
  expect(renewalTime(day, 1)).toBe(1000 + 57_600 - 4_320);
  expect(renewalTime({ notBefore: 10, notAfter: 5 }, 0.5)).toBe(10);
});

test('a certificate for another key is no credential', () => {
  const der = authority.certify(generateKey().spki, {});
  expect(() => createCredential(generateKey().privateKey, [der])).toThrow('another key');
  expect(() => createCredential(generateKey().privateKey, [])).toThrow('needs a certificate');
});
