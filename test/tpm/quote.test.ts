import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { concat, equal } from '../../formats/bytes/bytes.ts';
import { decodeAttest, encodeAttest } from '../../formats/tpm/attest.ts';
import {
  CERTIFY,
  CERTIFY_CREATION,
  CREATE,
  CREATE_PRIMARY,
  GET_TIME,
  LOAD,
  NV_READ_PUBLIC,
  PCR_EXTEND,
  QUOTE,
  READ_CLOCK,
  READ_PUBLIC,
} from '../../formats/tpm/commands.ts';
import { HANDLE_RANGES, RH } from '../../formats/tpm/handles.ts';
import { publicToSpki } from '../../formats/tpm/public.ts';
import { RC } from '../../formats/tpm/response-codes.ts';
import { decodeSignature, encodeSignature, signatureToScheme } from '../../formats/tpm/signature.ts';
import { AK_ECDSA_P256, EK_ECC_P256 } from '../../formats/tpm/templates.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { loadAttestationKey } from '../../tpm/attestation-key.ts';
import { makeClockSafe } from '../../tpm/clock.ts';
import { loadEndorsementKey } from '../../tpm/endorsement-key.ts';
import { isResponse, TpmExecutor } from '../../tpm/executor.ts';
import { createEndorsementPrimary, flush, flushAll, handlesFrom, startup } from '../../tpm/objects.ts';
import { quote, readPcrs } from '../../tpm/quote.ts';
import { openTransport, parseTpmAddress } from '../../tpm/transport/open-transport.ts';
import { TpmUnavailable } from '../../tpm/transport/transport.ts';
import { type Swtpm, startSwtpm } from '../support/swtpm.ts';

const EMPTY = new Uint8Array(0);
const bank = { hash: 'sha256', pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 16] } as const;
const noScheme = { kind: 'null' } as const;

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

describe('quote', () => {
  test('verifies, PCR values included', async () => {
    await tpm.execute(PCR_EXTEND, {
      pcrHandle: 16,
      digests: [{ kind: 'sha256', digest: new Uint8Array(32).fill(1) }],
    });
    const ak = await loadAttestationKey(tpm);
    const qualifyingData = new Uint8Array(randomBytes(32));
    const values = await readPcrs(tpm, bank);
    const made = await quote(tpm, ak.handle, qualifyingData, bank);
    const attest = must(decodeAttest(made.attest));
    expect(encodeAttest(attest)).toEqual(made.attest);
    expect(attest.extraData).toEqual(qualifyingData);
    if (attest.attested.kind !== 'quote') throw new Error(attest.attested.kind);
    expect(attest.attested.pcrDigest).toEqual(
      nodeCrypto.hash('sha256', concat(...values.map((v) => v.digest))),
    );
    const signature = must(decodeSignature(made.signature));
    const { scheme, bytes } = must(signatureToScheme(signature));
    const spki = must(publicToSpki(ak.public));
    expect(nodeCrypto.verifySignature(spki, scheme, made.attest, bytes)).toBe(true);
    expect(nodeCrypto.verifySignature(spki, scheme, concat(made.attest, Uint8Array.of(0)), bytes)).toBe(
      false,
    );
  });

  test('a bank that the TPM does not have is an error, not an empty answer', async () => {
    await expect(readPcrs(tpm, { hash: 'sm3_256', pcrs: [0] })).rejects.toThrow();
  });
});

describe('other attestations of a real TPM', () => {
  test('certify, creation and time are read and written back', async () => {
    const ak = await loadAttestationKey(tpm);
    const created = await tpm.execute(CREATE_PRIMARY, {
      primaryHandle: RH.endorsement,
      inSensitive: { userAuth: EMPTY, data: EMPTY },
      inPublic: AK_ECDSA_P256,
      outsideInfo: EMPTY,
      creationPCR: [],
    });
    const qualifyingData = Uint8Array.of(1, 2);
    const signed = [
      await tpm
        .execute(CERTIFY, {
          objectHandle: created.objectHandle,
          signHandle: ak.handle,
          qualifyingData,
          inScheme: noScheme,
        })
        .then((answer) => ({ kind: 'certify', bytes: answer.certifyInfo, signature: answer.signature })),
      await tpm
        .execute(CERTIFY_CREATION, {
          signHandle: ak.handle,
          objectHandle: created.objectHandle,
          qualifyingData,
          creationHash: created.creationHash,
          inScheme: noScheme,
          creationTicket: created.creationTicket,
        })
        .then((answer) => ({ kind: 'creation', bytes: answer.certifyInfo, signature: answer.signature })),
      await tpm
        .execute(GET_TIME, {
          privacyAdminHandle: RH.endorsement,
          signHandle: ak.handle,
          qualifyingData,
          inScheme: noScheme,
        })
        .then((answer) => ({ kind: 'time', bytes: answer.timeInfo, signature: answer.signature })),
    ];
    await flush(tpm, created.objectHandle);
    for (const { kind, bytes, signature } of signed) {
      const attest = must(decodeAttest(bytes));
      expect(attest.attested.kind).toBe(kind);
      expect(encodeAttest(attest)).toEqual(bytes);
      expect(must(decodeSignature(encodeSignature(signature)))).toEqual(signature);
    }
  });

  test('a child is created, loaded and read under a storage key', async () => {
    const parent = await createEndorsementPrimary(tpm, {
      ...EK_ECC_P256,
      attributes: { ...EK_ECC_P256.attributes, userWithAuth: true, adminWithPolicy: false },
      authPolicy: EMPTY,
    });
    const child = await tpm.execute(CREATE, {
      parentHandle: parent.handle,
      inSensitive: { userAuth: EMPTY, data: EMPTY },
      inPublic: AK_ECDSA_P256,
      outsideInfo: EMPTY,
      creationPCR: [],
    });
    const loaded = await tpm.execute(LOAD, {
      parentHandle: parent.handle,
      inPrivate: child.outPrivate,
      inPublic: child.outPublic,
    });
    const read = await tpm.execute(READ_PUBLIC, { objectHandle: loaded.objectHandle });
    expect(equal(read.name, loaded.name)).toBe(true);
    await flushAll(tpm);
    expect(await handlesFrom(tpm, HANDLE_RANGES.transient)).toEqual([]);
  });
});

describe('errors', () => {
  test('say in words what the TPM said', async () => {
    const absent = tpm.execute(NV_READ_PUBLIC, { nvIndex: 0x01ffffff });
    await expect(absent).rejects.toThrow(
      'TPM2_NV_ReadPublic: TPM_RC_HANDLE (0x18b, handle 1): there is nothing',
    );
    await expect(absent).rejects.toSatisfy((error) => isResponse(error, RC.handle));
    const ek = await loadEndorsementKey(tpm);
    const noSigner = tpm.execute(QUOTE, {
      signHandle: ek.handle,
      qualifyingData: EMPTY,
      inScheme: noScheme,
      pcrSelect: [],
    });
    await expect(noSigner).rejects.toThrow('TPM2_Quote: TPM_RC_');
  });

  test('addresses', () => {
    expect(parseTpmAddress('swtpm:[::1]:2321')).toEqual({
      ok: true,
      value: { kind: 'tcp', host: '::1', port: 2321 },
    });
    expect(parseTpmAddress('device:/dev/tpmrm0').ok).toBe(true);
    for (const text of [
      '',
      '/dev/tpmrm0',
      'device:tpmrm0',
      'device:127.0.0.1:1',
      'swtpm:host',
      'swtpm:host:0',
      'tcp:/a',
    ])
      expect(parseTpmAddress(text), text).toMatchObject({ ok: false, code: 'tpm-address' });
  });

  test('no TPM: a clear error', async () => {
    await expect(openTransport('device:/dev/no-such-tpm')).rejects.toThrow(
      /no TPM at \/dev\/no-such-tpm: .*does not exist.*does the node have/,
    );
    await expect(openTransport(`swtpm:${swtpm.folder}/none`)).rejects.toThrow(
      /no TPM at .*is swtpm, or the relay/,
    );
  });

  test('a TPM that stops in the middle fails the command; a new transport finds the same keys', async () => {
    const before = await loadAttestationKey(tpm);
    await swtpm.stop();
    await expect(loadAttestationKey(tpm)).rejects.toBeInstanceOf(TpmUnavailable);
    await tpm.close();
    await swtpm.start();
    tpm = new TpmExecutor(await openTransport(swtpm.address));
    await startup(tpm);
    expect((await loadAttestationKey(tpm)).name).toEqual(before.name);
  });

  test('a clock that a crash made doubtful is moved on until it is safe', async () => {
    const { safe, resetCount } = (await tpm.execute(READ_CLOCK, {})).currentTime.clockInfo;
    expect(safe).toBe(false);
    await makeClockSafe(tpm);
    const after = (await tpm.execute(READ_CLOCK, {})).currentTime.clockInfo;
    expect(after).toMatchObject({ safe: true, resetCount });
  });
});
