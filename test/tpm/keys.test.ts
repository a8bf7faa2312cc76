import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CREATE_PRIMARY } from '../../formats/tpm/commands.ts';
import { HANDLE_RANGES, RH } from '../../formats/tpm/handles.ts';
import { objectName } from '../../formats/tpm/public.ts';
import { AK_ECDSA_P256, EK_ECC_P256, EK_RSA_2048 } from '../../formats/tpm/templates.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { activateCredential } from '../../tpm/activate-credential.ts';
import { AK_HANDLE, loadAttestationKey } from '../../tpm/attestation-key.ts';
import { TpmExecutor } from '../../tpm/executor.ts';
import { makeCredential } from '../../tpm/make-credential.ts';
import { createEndorsementPrimary, evict, flush, handlesFrom, startup } from '../../tpm/objects.ts';
import { openTransport } from '../../tpm/transport/open-transport.ts';
import { type Swtpm, startSwtpm } from '../support/swtpm.ts';

const EMPTY = new Uint8Array(0);

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

function must<T>(result: { ok: true; value: T } | { ok: false; message: string }): T {
  if (!result.ok) throw new Error(result.message);
  return result.value;
}

describe('attestation key', () => {
  test('is created once, persistent, the same after it was removed, in the endorsement hierarchy', async () => {
    const first = await loadAttestationKey(tpm);
    expect(first.handle).toBe(AK_HANDLE);
    expect((await loadAttestationKey(tpm)).name).toEqual(first.name);
    await evict(tpm, AK_HANDLE, AK_HANDLE);
    expect((await loadAttestationKey(tpm)).name).toEqual(first.name);
    expect(must(objectName(nodeCrypto, first.public))).toEqual(first.name);
    expect(await handlesFrom(tpm, HANDLE_RANGES.transient)).toEqual([]);
  });

  test('another key at its handle is left alone and named', async () => {
    await loadAttestationKey(tpm);
    await evict(tpm, AK_HANDLE, AK_HANDLE);
    const inOwner = await tpm.execute(CREATE_PRIMARY, {
      primaryHandle: RH.owner,
      inSensitive: { userAuth: EMPTY, data: EMPTY },
      inPublic: AK_ECDSA_P256,
      outsideInfo: EMPTY,
      creationPCR: [],
    });
    await evict(tpm, inOwner.objectHandle, AK_HANDLE);
    await flush(tpm, inOwner.objectHandle);
    await expect(loadAttestationKey(tpm)).rejects.toThrow('0x81010002 holds another key');
    await evict(tpm, AK_HANDLE, AK_HANDLE);
    await loadAttestationKey(tpm);
  });
});

describe('credential activation', () => {
  test.each([
    ['RSA', EK_RSA_2048],
    ['ECC', EK_ECC_P256],
  ])('what we make for an %s key, the TPM opens; for another name it does not', async (_, template) => {
    const ak = await loadAttestationKey(tpm);
    const ek = await createEndorsementPrimary(tpm, template);
    const keys = { attestationKey: ak.handle, endorsementKey: ek.handle };
    try {
      const secret = new Uint8Array(randomBytes(32));
      const made = must(makeCredential(ek.public, ak.name, secret));
      expect(must(await activateCredential(tpm, keys, made))).toEqual(secret);
      const foreign = must(makeCredential(ek.public, ek.name, secret));
      expect(await activateCredential(tpm, keys, foreign)).toMatchObject({
        ok: false,
        code: 'credential-foreign',
      });
      const cut = { ...made, encryptedSecret: made.encryptedSecret.subarray(1) };
      expect(await activateCredential(tpm, keys, cut)).toMatchObject({
        ok: false,
        code: 'credential-malformed',
      });
      expect(await handlesFrom(tpm, HANDLE_RANGES.loadedSession)).toEqual([]);
    } finally {
      await flush(tpm, ek.handle);
    }
  });

  test('an endorsement key that we cannot serve is refused', () => {
    const made = makeCredential({ ...EK_ECC_P256, nameAlg: 'sha384' }, EMPTY, Uint8Array.of(1));
    expect(made).toMatchObject({ ok: false, code: 'unsupported-endorsement-key' });
    expect(makeCredential(EK_ECC_P256, EMPTY, Uint8Array.of(1))).toMatchObject({ ok: false });
  });
});
