import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Quoter } from '../../agent/attestation/quoter.ts';
import { TpmOwner, type TpmSession } from '../../agent/attestation/tpm-owner.ts';
import { concat } from '../../formats/bytes/bytes.ts';
import { decodeAttest } from '../../formats/tpm/attest.ts';
import { PCR_EXTEND } from '../../formats/tpm/commands.ts';
import { encodePublic, type Public } from '../../formats/tpm/public.ts';
import { AK_ECDSA_P256 } from '../../formats/tpm/templates.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { AK_HANDLE } from '../../tpm/attestation-key.ts';
import { createEndorsementPrimary, evict, flush } from '../../tpm/objects.ts';
import { openTransport } from '../../tpm/transport/open-transport.ts';
import { TpmUnavailable } from '../../tpm/transport/transport.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { until } from '../support/until.ts';

let swtpm: Swtpm;
let owner: TpmOwner;
let running: Promise<void>;
const stopped = new AbortController();
const downs: string[] = [];

beforeAll(async () => {
  swtpm = await startSwtpm();
  owner = new TpmOwner({
    open: () => openTransport(swtpm.address),
    log: recordingLogger().log,
    patienceMs: 1000,
    heartbeatMs: 200,
    onUp: () => {},
    onDown: (reason) => downs.push(reason),
    onFailure: () => {},
  });
  running = owner.run(stopped.signal);
});
afterAll(async () => {
  stopped.abort();
  await running;
  await swtpm?.remove();
});

const session = (): Promise<TpmSession> => owner.use(async (own) => own);

describe('TPM owner', () => {
  const selection = { hash: 'sha256', pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] } as const;
  const digestOf = (values: readonly { digest: Uint8Array }[]) =>
    nodeCrypto.hash('sha256', concat(...values.map(({ digest }) => digest)));

  test('the PCR values are those of the quote, also after they change', async () => {
    const quoter = new Quoter(nodeCrypto);
    for (const fill of [1, 2]) {
      const made = await owner.use((own) => quoter.quote(own, selection, new Uint8Array(32).fill(fill)));
      const attest = decodeAttest(made.attest);
      if (!attest.ok || attest.value.attested.kind !== 'quote') throw new Error('no quote');
      expect(digestOf(made.pcrValues)).toEqual(attest.value.attested.pcrDigest);
      const digests = [{ kind: 'sha256', digest: new Uint8Array(32).fill(fill) }] as const;
      await owner.use(({ tpm }) => tpm.execute(PCR_EXTEND, { pcrHandle: 8, digests }));
    }
  });

  test('the digest of the PCRs is of the hash that the key signs with, whatever their bank', async () => {
    const template: Public = {
      ...AK_ECDSA_P256,
      nameAlg: 'sha384',
      parameters: {
        ...AK_ECDSA_P256.parameters,
        ...({ kind: 'ecc', curve: 'P-384', scheme: { kind: 'ecdsa', hash: 'sha384' } } as const),
        kdf: { kind: 'null' },
      },
    };
    const made = await owner.use(async ({ tpm }) => {
      const attestationKey = await createEndorsementPrimary(tpm, template);
      const quoted = await new Quoter(nodeCrypto).quote(
        { tpm, attestationKey },
        selection,
        new Uint8Array(32),
      );
      await flush(tpm, attestationKey.handle);
      return quoted;
    });
    const attest = decodeAttest(made.attest);
    if (!attest.ok || attest.value.attested.kind !== 'quote') throw new Error('no quote');
    const values = concat(...made.pcrValues.map(({ digest }) => digest));
    expect(attest.value.attested.pcrDigest).toEqual(nodeCrypto.hash('sha384', values));
  });

  test('a TPM that stops is an error, and serves again when it is back, with the same key', async () => {
    const before = await session();
    await swtpm.stop();
    await expect(
      owner.use((own) => new Quoter(nodeCrypto).quote(own, selection, new Uint8Array(32))),
    ).rejects.toThrow(TpmUnavailable);
    expect(owner.session).toBeUndefined();
    expect(downs.at(-1)).toContain('no TPM at swtpm:');
    await swtpm.start();
    const after = await until('the TPM is set up again', async () => owner.session);
    expect(after.attestationKey.name).toEqual(before.attestationKey.name);
  });

  test('a key that somebody removed is there again, the same', async () => {
    const before = await session();
    await owner.use(({ tpm }) => evict(tpm, AK_HANDLE, AK_HANDLE));
    const quoter = new Quoter(nodeCrypto);
    const made = await owner.use((own) => quoter.quote(own, selection, new Uint8Array(32)));
    expect(made.attestationKeyPublic).toEqual(encodePublic(before.attestationKey.public));
  });

  test('an idle TPM that goes is noticed without being used', async () => {
    const before = downs.length;
    await swtpm.stop();
    await until('it is said', async () => downs.length > before);
    await swtpm.start();
    await until('the TPM is set up again', async () => owner.session);
  });

  test('a TPM that comes back at once is not even noticed', async () => {
    await swtpm.stop();
    const made = owner.use((own) => new Quoter(nodeCrypto).quote(own, selection, new Uint8Array(32)));
    await swtpm.start();
    expect((await made).pcrValues).toHaveLength(10);
  });
});
