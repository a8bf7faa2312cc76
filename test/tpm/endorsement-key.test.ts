import { execFileSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { enrol } from '../../agent/enrolment/enrol.ts';
import { readEndorsementRoots } from '../../certs/enrolment/endorsement-files.ts';
import { trustEndorsementKey } from '../../certs/enrolment/endorsement-trust.ts';
import { concat, equal, toHex } from '../../formats/bytes/bytes.ts';
import { HANDLE_RANGES } from '../../formats/tpm/handles.ts';
import { type Public, publicToSpki } from '../../formats/tpm/public.ts';
import { EK_ECC_P256 } from '../../formats/tpm/templates.ts';
import { parseCertificate } from '../../formats/x509/certificate.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import { loadAttestationKey } from '../../tpm/attestation-key.ts';
import { type EndorsementKey, loadEndorsementKey } from '../../tpm/endorsement-key.ts';
import { createEndorsementPrimary, flush, handlesFrom } from '../../tpm/objects.ts';
import { rootsOf, testAuthorities } from '../support/roots.ts';
import { type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { type Tpm2Tools, tpm2Tools } from '../support/tpm2-tools.ts';
import { withTpm } from '../support/with-tpm.ts';

const REFUSAL = { code: 'ek-untrusted', message: 'no root', remedy: 'list it' };
let swtpm: Swtpm;
let tools: Tpm2Tools;
beforeAll(async () => {
  swtpm = await startSwtpm();
  tools = tpm2Tools(swtpm);
}, 30_000);
afterAll(() => swtpm?.remove());

/** What enrolment gets of it. Nothing stays loaded. */
const load = (): Promise<EndorsementKey> =>
  withTpm(swtpm, async (tpm) => {
    const key = await loadEndorsementKey(tpm);
    if (key.transient) await flush(tpm, key.handle);
    expect(await handlesFrom(tpm, HANDLE_RANGES.transient)).toEqual([]);
    return key;
  });

function spkiOf(key: Public): Uint8Array {
  const spki = publicToSpki(key);
  if (!spki.ok) throw new Error(spki.message);
  return spki.value;
}

const leafKey = (chain: readonly Uint8Array[]): Uint8Array | undefined => {
  const parsed = parseCertificate(chain[0] ?? new Uint8Array());
  return parsed.ok ? parsed.value.spki : undefined;
};

/** A maker's authority, made by openssl: a root, two intermediates, and the certificate of a key that it does not hold. */
function makerOf(spki: Uint8Array) {
  const folder = tools.path('maker');
  mkdirSync(folder);
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  writeFileSync(file('ek.pub.pem'), key.export({ type: 'spki', format: 'pem' }));
  const ca = (length: number) =>
    `basicConstraints=critical,CA:TRUE,pathlen:${length}\nkeyUsage=critical,keyCertSign,cRLSign\n`;
  const issue = (name: string, issuer: string, extensions: string, ...more: string[]): Uint8Array => {
    writeFileSync(file(`${name}.ext`), `[v3]\n${extensions}`);
    openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-384',
      '-noenc',
      '-keyout',
      `${name}.key`,
      '-subj',
      `/O=Maker/CN=${name}`,
      '-out',
      `${name}.csr`,
    );
    const signer =
      issuer === name ? ['-signkey', `${name}.key`] : ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`];
    openssl(
      'x509',
      '-req',
      '-sha384',
      '-days',
      '30',
      '-in',
      `${name}.csr`,
      ...signer,
      '-CAcreateserial',
      '-extfile',
      `${name}.ext`,
      '-extensions',
      'v3',
      '-out',
      `${name}.pem`,
      ...more,
    );
    openssl('x509', '-in', `${name}.pem`, '-outform', 'der', '-out', `${name}.der`);
    return new Uint8Array(readFileSync(file(`${name}.der`)));
  };
  issue('root', 'root', ca(2));
  const upper = issue('upper', 'root', ca(1));
  const lower = issue('lower', 'upper', ca(0));
  // As TCG EK Credential Profile 3.2 has it: the TPM's maker, model and version in the alternative name.
  const leaf = issue(
    'ek',
    'lower',
    [
      'basicConstraints=critical,CA:FALSE',
      'keyUsage=critical,keyAgreement',
      'extendedKeyUsage=2.23.133.8.1',
      'subjectAltName=critical,dirName:tpm',
      '[tpm]',
      '1.2.23.133.2.1=id:54455354',
      '2.2.23.133.2.2=Test',
      '3.2.23.133.2.3=id:00010002',
      '',
    ].join('\n'),
    '-force_pubkey',
    'ek.pub.pem',
  );
  return { root: file('root.pem'), upper, lower, leaf };
}

async function writeNv(index: string, content: Uint8Array, attributes: string): Promise<void> {
  await tools.run('nvdefine', index, '-C', 'o', '-s', String(content.length), '-a', attributes);
  await tools.run('nvwrite', index, '-C', 'o', '-i', await tools.write('nv', content));
}

describe('endorsement key', () => {
  test('RSA 2048 when its certificate is the only one', async () => {
    const key = await load();
    expect(key.public.parameters.kind).toBe('rsa');
    expect(toHex(leafKey(key.certificateChain) ?? new Uint8Array())).toBe(toHex(spkiOf(key.public)));
    expect(key.passedOver).toEqual([]);
  });

  test('P-256 when it has one, with the intermediates that lead on from it, and a maker’s root trusts it', async () => {
    const ek = await withTpm(swtpm, async (tpm) => {
      const made = await createEndorsementPrimary(tpm, EK_ECC_P256);
      await flush(tpm, made.handle);
      return made;
    });
    const maker = makerOf(spkiOf(ek.public));
    await writeNv(
      '0x01c0000a',
      concat(
        Uint8Array.of(0x10, 0x01, 0, maker.leaf.length >> 8, maker.leaf.length & 255),
        maker.leaf,
        new Uint8Array(20).fill(0xff),
      ),
      'ownerread|ownerwrite|authread',
    );
    expect(await load()).toMatchObject({ public: ek.public, certificateChain: [maker.leaf] });
    // Wrapped as for TPM 1.2 and padded. Intermediates stand one after the other and across indices; for the owner to read; what belongs to no chain of ours is left out.
    const stranger = new Uint8Array(readFileSync(join(swtpm.folder, 'maker', 'root.der')));
    const stored = concat(maker.upper, stranger, maker.lower);
    await writeNv('0x01c00100', stored.subarray(0, 700), 'ownerread|ownerwrite');
    await writeNv('0x01c00101', stored.subarray(700), 'ownerread|ownerwrite');
    const key = await load();
    expect(key.certificateChain.map(toHex)).toEqual([maker.leaf, maker.lower, maker.upper].map(toHex));

    const folder = tools.path('ek-roots');
    mkdirSync(folder);
    const judge = () =>
      trustEndorsementKey(spkiOf(key.public), key.certificateChain, {
        crypto: nodeCrypto,
        now: Math.floor(Date.now() / 1000),
        roots: readEndorsementRoots(folder),
        list: new Map(),
      });
    expect(judge()).toMatchObject({ ok: false, code: 'ek-untrusted' });
    writeFileSync(join(folder, 'maker.pem'), readFileSync(maker.root));
    expect(judge()).toMatchObject({ ok: true, value: { how: 'vendor-root' } });
    expect(readdirSync(folder)).toEqual(['maker.pem']);
  });

  test('after its seed was changed: the old certificates are for another key, are not sent, and it is said', async () => {
    const before = await load();
    await tools.run('changeeps');
    const after = await load();
    expect(equal(spkiOf(after.public), spkiOf(before.public))).toBe(false);
    expect(after.certificateChain).toEqual([]);
    expect(after.passedOver).toEqual([
      expect.stringContaining('0x01c0000a is for another endorsement key'),
      expect.stringContaining('0x01c00002 is for another endorsement key'),
    ]);
    // The certificate service cannot know; the agent's reason for not being enrolled says it.
    const refusing = {
      enrol: () => ({
        [Symbol.asyncIterator]: () => ({
          next: () => Promise.reject(new RpcRefusal('PERMISSION_DENIED', REFUSAL)),
        }),
      }),
    };
    const enrolled = withTpm(swtpm, async (tpm) =>
      enrol(
        { tpm, attestationKey: await loadAttestationKey(tpm) },
        {
          client: refusing,
          crypto: nodeCrypto,
          roots: rootsOf(testAuthorities()),
          now: 0,
          token: '',
          signal: AbortSignal.timeout(10_000),
        },
      ),
    );
    await expect(enrolled).rejects.toThrow(/^no root; .*0x01c0000a is for another endorsement key/);
  });
});
