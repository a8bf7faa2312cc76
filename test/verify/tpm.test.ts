import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leafHash, qualifyingData, rootFromPath } from '../../formats/evidence/batch.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import { encodePublic, type Public, publicToSpki } from '../../formats/tpm/public.ts';
import { AK_ECDSA_P256 } from '../../formats/tpm/templates.ts';
import { parseCertificate, verifyCertificateSignature } from '../../formats/x509/certificate.ts';
import { decodePem } from '../../formats/x509/pem.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { loadEndorsementKey } from '../../tpm/endorsement-key.ts';
import { TpmExecutor } from '../../tpm/executor.ts';
import { createEndorsementPrimary, flush, startup } from '../../tpm/objects.ts';
import { quote, readPcrs } from '../../tpm/quote.ts';
import { openTransport } from '../../tpm/transport/open-transport.ts';
import { verify } from '../../verify/verify.ts';
import { fixture } from '../support/evidence.ts';
import { type Swtpm, startSwtpm } from '../support/swtpm.ts';

// Needs the Debian packages swtpm and swtpm-tools.
let swtpm: Swtpm;
let tpm: TpmExecutor;
beforeAll(async () => {
  swtpm = await startSwtpm();
  tpm = new TpmExecutor(await openTransport(swtpm.address));
  await startup(tpm);
}, 30_000);
afterAll(async () => {
  await tpm?.close();
  await swtpm?.remove();
});

const bank = { hash: 'sha256', pcrs: [0, 1, 2, 3, 4, 5, 6, 7] } as const;
const rsa = (kind: 'rsassa' | 'rsapss', hash: 'sha256' | 'sha384'): Public => ({
  ...AK_ECDSA_P256,
  parameters: {
    kind: 'rsa',
    symmetric: { kind: 'null' },
    scheme: { kind, hash },
    keyBits: 2048,
    exponent: 0,
  },
  unique: { kind: 'rsa', modulus: new Uint8Array(0) },
});
const p384: Public = {
  ...AK_ECDSA_P256,
  nameAlg: 'sha384',
  parameters: {
    kind: 'ecc',
    symmetric: { kind: 'null' },
    scheme: { kind: 'ecdsa', hash: 'sha384' },
    curve: 'P-384',
    kdf: { kind: 'null' },
  },
};

async function quoted(template: Public): Promise<{ made: ReturnType<typeof fixture>; bundle: Bundle }> {
  const ak = await createEndorsementPrimary(tpm, template);
  const spki = publicToSpki(ak.public);
  if (!spki.ok) throw new Error(spki.message);
  const made = fixture({
    akPublic: () => ak.public,
    akCertificate: (fields) => ({ ...fields, spki: spki.value }),
    context: (context) => ({ ...context, seen: [] }),
  });
  const { statement, blinder, leafIndex, leafCount, path } = made.bundle;
  const root = rootFromPath(nodeCrypto, leafHash(nodeCrypto, statement, blinder), leafIndex, leafCount, path);
  if (!root) throw new Error('no root');
  const evidence = await quote(tpm, ak.handle, qualifyingData(nodeCrypto, leafCount, root), bank);
  const values = await readPcrs(tpm, bank);
  await flush(tpm, ak.handle);
  const pcrValues = { hashAlgorithm: 0x000b, values };
  return {
    made,
    bundle: { ...made.bundle, ...evidence, pcrValues, attestationKeyPublic: encodePublic(ak.public) },
  };
}

describe('quotes of a real TPM implementation', () => {
  test.each<[string, Public]>([
    ['ECDSA P-256', AK_ECDSA_P256],
    ['ECDSA P-384', p384],
    ['RSASSA SHA-256', rsa('rsassa', 'sha256')],
    ['RSASSA SHA-384', rsa('rsassa', 'sha384')],
    ['RSAPSS SHA-256', rsa('rsapss', 'sha256')],
  ])('%s', async (_name, template) => {
    const { made, bundle } = await quoted(template);
    const verdict = verify(bundle, made.policy, made.context);
    expect(verdict.checks.filter(({ ok }) => ok === false)).toEqual([]);
    expect(verdict.remember?.clock).toBeGreaterThan(0);
  });

  test('a key without restriction is refused, though the TPM made it', async () => {
    const unrestricted = { ...AK_ECDSA_P256, attributes: { ...AK_ECDSA_P256.attributes, restricted: false } };
    const { made, bundle } = await quoted(unrestricted);
    expect(verify(bundle, made.policy, made.context).code).toBe('attestation-key-attributes');
  });
});

test('the endorsement key certificate of its maker is read, and chains to the root that the maker left', async () => {
  const { certificateChain } = await loadEndorsementKey(tpm);
  const parsed = parseCertificate(certificateChain[0] ?? new Uint8Array());
  if (!parsed.ok) throw new Error(parsed.message);
  const roots = readdirSync(swtpm.caFolder)
    .filter((name) => name.endsWith('cert.pem'))
    .flatMap((name) => {
      const blocks = decodePem('CERTIFICATE', readFileSync(join(swtpm.caFolder, name), 'utf8'));
      return blocks.ok ? blocks.value : [];
    })
    .flatMap((der) => {
      const root = parseCertificate(der);
      return root.ok ? [root.value] : [];
    });
  expect(roots.some((root) => verifyCertificateSignature(nodeCrypto, parsed.value, root.spki))).toBe(true);
});
