import { expect, test } from 'vitest';
import { parseCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH, OID_EKU_USER } from '../../names/oids.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import type { AgentCalls } from '../../sidecar/agent/agent-calls.ts';
import { obtainCredential, UnusableCertificate } from '../../sidecar/life/credential.ts';
import { evidence } from './fake-agent.ts';
import { authorities, SERVER_NAME } from './trust-fixture.ts';

const EVIDENCE = evidence({}, []);
const ENCLAVE_USAGES = [OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH];

/** Asks for a credential where the certificate service answers with this. */
async function obtained(certificate: (spki: Uint8Array) => Uint8Array) {
  let quotes = 0;
  const agent: Pick<AgentCalls, 'prove' | 'certify' | 'quote'> = {
    prove: async () => EVIDENCE,
    certify: async (request) => {
      const parsed = parseCertificateRequest(request);
      if (!parsed.ok) throw new Error(parsed.message);
      return [certificate(parsed.value.spki)];
    },
    quote: async () => {
      quotes += 1;
      return EVIDENCE;
    },
  };
  const asked = obtainCredential(
    agent as AgentCalls,
    { keyType: 'p256', serverName: SERVER_NAME },
    AbortSignal.timeout(20_000),
  );
  const outcome = await asked.then(
    () => 'good',
    (error: unknown) => (error instanceof UnusableCertificate ? error.message : String(error)),
  );
  return { outcome, quotes };
}

const certified = (spki: Uint8Array, dns: string, extendedKeyUsage: readonly string[]): Uint8Array =>
  authorities.enclaves.certify(spki, { dns: [dns], extendedKeyUsage: [...extendedKeyUsage] });

test('the certificate that was asked for is quoted', async () => {
  expect(await obtained((spki) => certified(spki, SERVER_NAME, ENCLAVE_USAGES))).toEqual({
    outcome: 'good',
    quotes: 1,
  });
});

test.each<[string, (spki: Uint8Array) => Uint8Array, string]>([
  ['another key', () => certified(generateKey().spki, SERVER_NAME, ENCLAVE_USAGES), 'another key'],
  ['another role', (spki) => certified(spki, SERVER_NAME, [OID_EKU_USER]), 'not an enclave’s'],
  ['another name', (spki) => certified(spki, `x${SERVER_NAME}`, ENCLAVE_USAGES), 'does not name'],
  ['no certificate', () => new Uint8Array(), ''],
])('one for %s is of no use, and nothing is quoted', async (_what, certificate, says) => {
  const { outcome, quotes } = await obtained(certificate);
  expect(outcome).toContain('the new certificate is of no use');
  expect(outcome).toContain(says);
  expect(quotes).toBe(0);
});
