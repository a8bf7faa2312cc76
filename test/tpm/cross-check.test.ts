import { execFile } from 'node:child_process';
import { createPublicKey, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Quoter } from '../../agent/attestation/quoter.ts';
import { concat, toHex } from '../../formats/bytes/bytes.ts';
import { Writer } from '../../formats/bytes/writer.ts';
import { HASHES } from '../../formats/tpm/algorithms.ts';
import { decodeAttest, encodeAttest } from '../../formats/tpm/attest.ts';
import { PCR_EXTEND } from '../../formats/tpm/commands.ts';
import { RH } from '../../formats/tpm/handles.ts';
import {
  decodePublic,
  encodePublic,
  objectName,
  type Public,
  primaryQualifiedName,
  publicToSpki,
} from '../../formats/tpm/public.ts';
import { decodeSignature, encodeSignature } from '../../formats/tpm/signature.ts';
import { AK_ECDSA_P256, EK_ECC_P256, EK_RSA_2048 } from '../../formats/tpm/templates.ts';
import { tpm2ToolsPcrs } from '../../formats/tpm/tpm2-tools-pcrs.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { activateCredential } from '../../tpm/activate-credential.ts';
import type { TpmExecutor } from '../../tpm/executor.ts';
import { type MadeCredential, makeCredential } from '../../tpm/make-credential.ts';
import { createEndorsementPrimary, evict, flush, type TpmObject } from '../../tpm/objects.ts';
import { type PcrValue, quote, readPcrs, type TpmQuote } from '../../tpm/quote.ts';
import { verify } from '../../verify/verify.ts';
import { fixture } from '../support/evidence.ts';
import { ecKey, type FixtureTpmKey } from '../support/fixture-keys.ts';
import { type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { type Tpm2Tools, tpm2Tools } from '../support/tpm2-tools.ts';
import { withTpm } from '../support/with-tpm.ts';

const run = promisify(execFile);
const openssl = async (...args: string[]): Promise<string> => (await run('openssl', args)).stdout;

type Hash = 'sha256' | 'sha384';

function ecc(curve: 'P-256' | 'P-384', hash: Hash, nameAlg: Hash = 'sha256'): Public {
  const { parameters } = AK_ECDSA_P256;
  if (parameters.kind !== 'ecc') throw new Error('ECC');
  return { ...AK_ECDSA_P256, nameAlg, parameters: { ...parameters, curve, scheme: { kind: 'ecdsa', hash } } };
}

function rsa(keyBits: number, kind: 'rsassa' | 'rsapss', hash: Hash, nameAlg: Hash = 'sha256'): Public {
  const symmetric = { kind: 'null' } as const;
  return {
    ...AK_ECDSA_P256,
    nameAlg,
    parameters: { kind: 'rsa', symmetric, scheme: { kind, hash }, keyBits, exponent: 0 },
    unique: { kind: 'rsa', modulus: new Uint8Array(keyBits / 8) },
  };
}

/** Every kind that swtpm makes: it has no RSA 4096, which the vectors cover. */
const KINDS: readonly (readonly [string, Public, Hash])[] = [
  ['P-256 SHA-256, as our agent makes it', AK_ECDSA_P256, 'sha256'],
  ['P-256 SHA-384', ecc('P-256', 'sha384'), 'sha256'],
  ['P-384 SHA-256, bank SHA-384', ecc('P-384', 'sha256'), 'sha384'],
  ['P-384 SHA-384, named by SHA-384', ecc('P-384', 'sha384', 'sha384'), 'sha384'],
  ['RSA 2048 RSASSA SHA-256', rsa(2048, 'rsassa', 'sha256'), 'sha256'],
  ['RSA 2048 RSASSA SHA-384', rsa(2048, 'rsassa', 'sha384'), 'sha384'],
  ['RSA 2048 RSAPSS SHA-256', rsa(2048, 'rsapss', 'sha256'), 'sha256'],
  ['RSA 2048 RSAPSS SHA-384', rsa(2048, 'rsapss', 'sha384'), 'sha256'],
  ['RSA 3072 RSASSA SHA-256', rsa(3072, 'rsassa', 'sha256'), 'sha256'],
  ['RSA 3072 RSAPSS SHA-384, named by SHA-384', rsa(3072, 'rsapss', 'sha384', 'sha384'), 'sha384'],
];
const PCRS = [0, 1, 2, 3, 4, 5, 6, 7];
const handleOf = (index: number): number => 0x81010100 + index;
const EKS = [
  ['RSA 2048', EK_RSA_2048, 0x81010200],
  ['ECC P-256', EK_ECC_P256, 0x81010201],
] as const;

let swtpm: Swtpm;
let tools: Tpm2Tools;
const keys: TpmObject[] = [];
const quotes: (TpmQuote & { nonce: Uint8Array; values: readonly PcrValue[] })[] = [];
const endorsementKeys: TpmObject[] = [];

async function makePersistent(tpm: TpmExecutor, template: Public, handle: number): Promise<TpmObject> {
  const made = await createEndorsementPrimary(tpm, template);
  await evict(tpm, made.handle, handle);
  await flush(tpm, made.handle);
  return { ...made, handle };
}

beforeAll(async () => {
  swtpm = await startSwtpm();
  tools = tpm2Tools(swtpm);
  await withTpm(swtpm, async (tpm) => {
    const digests = [
      { kind: 'sha256', digest: new Uint8Array(32).fill(1) },
      { kind: 'sha384', digest: new Uint8Array(48).fill(2) },
    ] as const;
    await tpm.execute(PCR_EXTEND, { pcrHandle: 2, digests });
    for (const [index, [, template, bank]] of KINDS.entries()) {
      const key = await makePersistent(tpm, template, handleOf(index));
      const nonce = new Uint8Array(randomBytes(32));
      const selection = { hash: bank, pcrs: PCRS };
      if (template === AK_ECDSA_P256) {
        const made = await new Quoter(nodeCrypto).quote({ tpm, attestationKey: key }, selection, nonce);
        quotes.push({ ...made, nonce, values: made.pcrValues });
      } else {
        const values = await readPcrs(tpm, selection);
        quotes.push({ ...(await quote(tpm, key.handle, nonce, selection)), nonce, values });
      }
      keys.push(key);
    }
    for (const [, template, handle] of EKS) endorsementKeys.push(await makePersistent(tpm, template, handle));
  });
}, 60_000);
afterAll(() => swtpm?.remove());

function must<T>(result: { ok: true; value: T } | { ok: false; message: string }): T {
  if (!result.ok) throw new Error(result.message);
  return result.value;
}
function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new Error(`nothing at ${index}`);
  return found;
}
const hex = (handle: number): string => `0x${handle.toString(16)}`;
const schemeHash = (key: Public): Hash => {
  const { scheme } = key.parameters;
  if (!('hash' in scheme) || (scheme.hash !== 'sha256' && scheme.hash !== 'sha384'))
    throw new Error('scheme');
  return scheme.hash;
};

/** tpm2_checkquote knows no RSAPSS before version 5.6 (Debian 12 has 5.4): OpenSSL, called without us, checks its signature. */
async function acceptedByOpenssl(index: number): Promise<void> {
  const { public: key } = at(keys, index);
  const { attest, signature } = at(quotes, index);
  const spki = createPublicKey({ key: Buffer.from(must(publicToSpki(key))), format: 'der', type: 'spki' });
  const decoded = must(decodeSignature(signature));
  if (decoded.kind !== 'rsapss') throw new Error(decoded.kind);
  const pem = await tools.write('ak.pem', spki.export({ type: 'spki', format: 'pem' }));
  const check = async (message: Uint8Array) =>
    openssl(
      ...['dgst', `-${schemeHash(key)}`, '-verify', pem, '-sigopt', 'rsa_padding_mode:pss'],
      ...['-signature', await tools.write('plain', decoded.signature), await tools.write('attest', message)],
    );
  expect(await check(attest)).toContain('Verified OK');
  await expect(check(attest.map((byte, i) => (i === 10 ? byte ^ 1 : byte)))).rejects.toThrow();
}

/** Public area, name and qualified name as tpm2_readpublic writes them. */
async function readPublic(handle: number) {
  const [area, name, qualified] = ['area', 'name', 'qualified'].map(tools.path) as [string, string, string];
  await tools.run('readpublic', '-c', hex(handle), '-o', area, '-n', name, '-q', qualified);
  // A TPM2B_PUBLIC, its size in front.
  const publicArea = (await tools.read('area')).subarray(2);
  return { publicArea, name: await tools.read('name'), qualifiedName: await tools.read('qualified') };
}

describe.each(KINDS.map(([name, , bank], index) => [name, bank, index] as const))('%s', (_, bank, index) => {
  test('public area and names are those of tpm2_readpublic', async () => {
    const read = await readPublic(handleOf(index));
    const key = must(decodePublic(read.publicArea));
    expect(key).toEqual(at(keys, index).public);
    expect(toHex(encodePublic(key))).toBe(toHex(read.publicArea));
    expect(toHex(must(objectName(nodeCrypto, key)))).toBe(toHex(read.name));
    expect(toHex(must(primaryQualifiedName(nodeCrypto, key, RH.endorsement)))).toBe(
      toHex(read.qualifiedName),
    );
  });

  test('our quote is accepted by tpm2_checkquote, PCR values included; changed ones are not', async () => {
    const { public: key } = at(keys, index);
    if (key.parameters.scheme.kind === 'rsapss') return acceptedByOpenssl(index);
    const { attest, signature, nonce, values } = at(quotes, index);
    const spki = createPublicKey({ key: Buffer.from(must(publicToSpki(key))), format: 'der', type: 'spki' });
    const files = [
      ...['-u', await tools.write('ak.pem', spki.export({ type: 'spki', format: 'pem' }))],
      ...['-s', await tools.write('signature', signature), '-g', schemeHash(key)],
    ];
    const digests = values.map(({ digest }) => digest);
    const pcrs = async (of: readonly Uint8Array[]) =>
      tools.write('pcrs', tpm2ToolsPcrs({ hash: bank, pcrs: PCRS }, of));
    const check = async (message: Uint8Array, of: readonly Uint8Array[], qualification: Uint8Array) =>
      tools.run(
        'checkquote',
        ...[
          ...files,
          '-m',
          await tools.write('attest', message),
          '-f',
          await pcrs(of),
          '-q',
          toHex(qualification),
        ],
      );
    await check(attest, digests, nonce);
    await expect(check(attest, digests, new Uint8Array(32))).rejects.toThrow();
    await expect(
      check(attest, [...digests.slice(1), at(digests, 0).map((b) => b ^ 1)], nonce),
    ).rejects.toThrow();
    const flipped = attest.map((byte, i) => (i === attest.length - 1 ? byte ^ 1 : byte));
    await expect(check(flipped, digests, nonce)).rejects.toThrow();
  });

  test('evidence quoted by tpm2_quote verifies, and re-encodes to the same bytes', async () => {
    const { public: key } = at(keys, index);
    const { values } = at(quotes, index);
    const spki = must(publicToSpki(key));
    // All but the quote: which key signs here makes no difference to it.
    const ak: FixtureTpmKey = { ...ecKey('unused'), spki, parameters: key.parameters, unique: key.unique };
    const { bundle, policy, context } = fixture({ ak, akPublic: () => key });
    const { extraData } = must(decodeAttest(bundle.attest));
    const [message, signature] = [tools.path('message'), tools.path('signature')];
    await tools.run(
      'quote',
      ...['-c', hex(handleOf(index)), '-l', `${bank}:${PCRS.join(',')}`, '-q', toHex(extraData)],
      ...['-m', message, '-s', signature, '-g', schemeHash(key), '--scheme', key.parameters.scheme.kind],
    );
    const made = {
      ...bundle,
      attest: await tools.read('message'),
      signature: await tools.read('signature'),
      pcrValues: { hashAlgorithm: HASHES[bank], values: [...values] },
    };
    expect(toHex(encodeAttest(must(decodeAttest(made.attest))))).toBe(toHex(made.attest));
    expect(toHex(encodeSignature(must(decodeSignature(made.signature))))).toBe(toHex(made.signature));
    const judge = (change: Partial<typeof made>) =>
      verify({ ...made, ...change }, policy, {
        ...context,
        seen: [],
        pcrSelection: { hash: bank, pcrs: PCRS },
      });
    const verdict = judge({});
    expect(verdict.checks.filter(({ ok }) => ok === false)).toEqual([]);
    expect(verdict.ok).toBe(true);
    const flipped = made.signature.map((byte, i) => (i === made.signature.length - 1 ? byte ^ 1 : byte));
    expect(judge({ signature: flipped }).ok).toBe(false);
  });
});

/** What tpm2_makecredential writes and tpm2_activatecredential reads: magic, version, TPM2B_ID_OBJECT, TPM2B_ENCRYPTED_SECRET. */
const CREDENTIAL_HEADER = new Writer().u32(0xbadcc0de).u32(1).finish();

describe.each(EKS.map(([name, , handle], index) => [name, handle, index] as const))(
  'credential for an %s endorsement key',
  (_, handle, index) => {
    test('what tpm2_makecredential makes, we open', async () => {
      const ek = at(endorsementKeys, index);
      const ak = at(keys, 0);
      const read = await readPublic(handle);
      expect(toHex(encodePublic(ek.public))).toBe(toHex(read.publicArea));
      expect(toHex(ek.name)).toBe(toHex(read.name));
      const secret = 'the secret of the test';
      await tools.run(
        'makecredential',
        ...['-T', 'none', '-u', tools.path('area'), '-s', await tools.write('secret', secret)],
        ...['-n', toHex(ak.name), '-o', tools.path('credential')],
      );
      const blob = await tools.read('credential');
      expect(blob.subarray(0, 8)).toEqual(CREDENTIAL_HEADER);
      const split = 8 + 2 + at([...blob], 8) * 256 + at([...blob], 9);
      const made: MadeCredential = { idObject: blob.slice(8, split), encryptedSecret: blob.slice(split) };
      const opened = await withTpm(swtpm, (tpm) =>
        activateCredential(tpm, { attestationKey: ak.handle, endorsementKey: ek.handle }, made),
      );
      expect(Buffer.from(must(opened)).toString()).toBe(secret);
    });

    test('what we make, tpm2_activatecredential opens, for this name only', async () => {
      const ek = at(endorsementKeys, index);
      const secret = new Uint8Array(randomBytes(32));
      const activate = async (name: Uint8Array): Promise<Uint8Array> => {
        const { idObject, encryptedSecret } = must(makeCredential(ek.public, name, secret));
        const session = tools.path('session');
        await tools.run('startauthsession', '--policy-session', '-S', session);
        try {
          await tools.run('policysecret', '-S', session, '-c', 'endorsement');
          await tools.run(
            'activatecredential',
            ...['-c', hex(at(keys, 0).handle), '-C', hex(handle), '-P', `session:${session}`],
            ...['-i', await tools.write('ours', concat(CREDENTIAL_HEADER, idObject, encryptedSecret))],
            ...['-o', tools.path('opened')],
          );
        } finally {
          await tools.run('flushcontext', session);
        }
        return tools.read('opened');
      };
      expect(await activate(at(keys, 0).name)).toEqual(secret);
      await expect(activate(at(keys, 1).name)).rejects.toThrow();
    });
  },
);
