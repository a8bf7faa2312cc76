import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../../formats/bytes/bytes.ts';
import { Writer } from '../../../formats/bytes/writer.ts';
import { decodeResponse, encodeCommand, policyAuthorization } from '../../../formats/tpm/command-codec.ts';
import { COMMANDS, PCR_READ, POLICY_SECRET, READ_PUBLIC, STARTUP } from '../../../formats/tpm/commands.ts';
import { selectPcrs } from '../../../formats/tpm/pcr-selection.ts';
import { explainResponseCode, RC } from '../../../formats/tpm/response-codes.ts';

const EMPTY = new Uint8Array(0);

describe('commands', () => {
  test('bytes as part 3 has them', () => {
    expect(toHex(encodeCommand(STARTUP, { startupType: 'clear' }))).toBe('80010000000c000001440000');
    const secret = {
      authHandle: 0x4000000b,
      policySession: 0x03000000,
      nonceTPM: EMPTY,
      cpHashA: EMPTY,
      policyRef: EMPTY,
      expiration: 0,
    };
    expect(toHex(encodeCommand(POLICY_SECRET, secret))).toBe(
      '800200000029000001514000000b03000000' + '000000094000000900000000' + '00' + '00000000000000000000',
    );
    expect(toHex(encodeCommand(POLICY_SECRET, secret, [policyAuthorization(0x03000001)]))).toContain(
      '0000000903000001',
    );
  });

  test('codes and names are each there once', () => {
    expect(new Set(COMMANDS.map(({ code }) => code)).size).toBe(COMMANDS.length);
    expect(new Set(COMMANDS.map(({ name }) => name)).size).toBe(COMMANDS.length);
    for (const { handles, authorized } of COMMANDS) expect(authorized).toBeLessThanOrEqual(handles.length);
  });
});

describe('responses', () => {
  const response = (tag: number, code: number, body: Uint8Array): Uint8Array =>
    new Writer()
      .u16(tag)
      .u32(10 + body.length)
      .u32(code)
      .bytes(body)
      .finish();

  test('an error is its code; anything that is not exactly a response is refused', () => {
    const error = decodeResponse(READ_PUBLIC, response(0x8001, 0x18b, EMPTY));
    expect(error).toEqual({ ok: true, value: { responseCode: 0x18b } });
    for (const bytes of [
      EMPTY,
      response(0x8001, 0, EMPTY),
      response(0x8002, 0, EMPTY),
      response(0x8001, 0x18b, Uint8Array.of(1)),
      Uint8Array.of(...response(0x8001, 0x18b, EMPTY), 0),
    ])
      expect(decodeResponse(READ_PUBLIC, bytes).ok).toBe(false);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (body) => {
        decodeResponse(PCR_READ, response(0x8001, 0, body));
      }),
    );
    const select = selectPcrs({ hash: 'sha256', pcrs: [0] });
    const cut = encodeCommand(PCR_READ, { pcrSelectionIn: select }).subarray(10);
    expect(decodeResponse(PCR_READ, response(0x8001, 0, cut)).ok).toBe(false);
  });
});

describe('response codes', () => {
  test.each([
    [0x01e, 'TPM_RC_BAD_TAG (0x1e)'],
    [0x100, 'TPM_RC_INITIALIZE (0x100)'],
    [0x902, 'TPM_RC_OBJECT_MEMORY (0x902): no free slot for an object: some handle must be flushed'],
    [0x903, 'TPM_RC_SESSION_MEMORY (0x903): no free slot for a session: some session must be flushed'],
    [0x916, 'TPM_RC_REFERENCE_H6 (0x916): handle 7'],
    [0x919, 'TPM_RC_REFERENCE_S1 (0x919): session 2'],
    [0x921, 'TPM_RC_LOCKOUT (0x921): locked out'],
    [0x922, 'TPM_RC_RETRY (0x922): the TPM is busy'],
    [0x18b, 'TPM_RC_HANDLE (0x18b, handle 1)'],
    [0x78b, 'TPM_RC_HANDLE (0x78b, handle 7)'],
    [0x1d5, 'TPM_RC_SIZE (0x1d5, parameter 1)'],
    [0xfd5, 'TPM_RC_SIZE (0xfd5, parameter 15)'],
    [0x98e, 'TPM_RC_AUTH_FAIL (0x98e, session 1)'],
    [0xf8e, 'TPM_RC_AUTH_FAIL (0xf8e, session 7)'],
    [0x2df, 'TPM_RC_INTEGRITY (0x2df, parameter 2)'],
    // The kernel's, for a command that its resource manager does not let through.
    [0xb0143, 'TPM_RC_COMMAND_CODE (0xb0143, by the resource manager)'],
    [0xb018b, 'TPM_RC_HANDLE (0xb018b, handle 1, by the resource manager)'],
    [0x501, "0x501: a code of the TPM's maker"],
    [0x0bf, '0xbf: no response code of TPM 2.0'],
    [0xa0143, '0xa0143: no response code of TPM 2.0'],
    [0x1018b, '0x1018b: no response code of TPM 2.0'],
    [0x7fffffff, 'no response code of TPM 2.0'],
  ])('%i', (code, words) => {
    expect(explainResponseCode(code)).toContain(words);
  });

  test('those that callers act on have a name each', () => {
    for (const [name, code] of Object.entries(RC)) {
      const word = name.replace(/[A-Z0-9]/g, (each) => `_${each}`).toUpperCase();
      expect(explainResponseCode(code).replaceAll('_', '')).toContain(`TPMRC${word.replaceAll('_', '')}`);
    }
  });
});
