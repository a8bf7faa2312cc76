import { NV_READ, NV_READ_PUBLIC } from '../formats/tpm/commands.ts';
import type { Public } from '../formats/tpm/public.ts';
import { RC } from '../formats/tpm/response-codes.ts';
import { NV_ATTRIBUTES } from '../formats/tpm/structures.ts';
import { EK_ECC_P256, EK_RSA_2048 } from '../formats/tpm/templates.ts';
import { isResponse, type TpmExecutor } from './executor.ts';
import { createEndorsementPrimary, madeFrom, readObject, type TpmObject } from './objects.ts';

/** Where the TCG EK Credential Profile (2.2.1.4, 2.2.1.5) puts certificate and key of each template. */
interface EndorsementKeyRow {
  readonly template: Public;
  readonly certificateIndex: number;
  readonly persistentHandle: number;
}

/** In the order of preference: ECC takes a TPM milliseconds, RSA seconds. */
const ROWS: readonly EndorsementKeyRow[] = [
  { template: EK_ECC_P256, certificateIndex: 0x01c0000a, persistentHandle: 0x81010002 + 0x14 },
  { template: EK_RSA_2048, certificateIndex: 0x01c00002, persistentHandle: 0x81010001 },
];

export interface EndorsementKey extends TpmObject {
  /** X.509 DER from the TPM's NV memory, as the manufacturer wrote it; undefined when there is none. */
  readonly certificate: Uint8Array | undefined;
  /** Whether the handle must be flushed after use. */
  readonly transient: boolean;
}

/** NV_Read takes at most TPM_PT_NV_BUFFER_MAX bytes; every TPM takes 512. */
const NV_CHUNK = 512;
const MAX_CERTIFICATE = 4096;

/** The content of an NV index that anybody may read; undefined when it is absent or unreadable. At most 4 KiB. */
async function readNv(tpm: TpmExecutor, nvIndex: number): Promise<Uint8Array | undefined> {
  let size: number;
  try {
    const { nvPublic } = await tpm.execute(NV_READ_PUBLIC, { nvIndex });
    const { attributes, dataSize } = nvPublic;
    const { authRead, written } = NV_ATTRIBUTES;
    if ([authRead, written].some((bit) => ((attributes >>> bit) & 1) === 0)) return undefined;
    size = dataSize;
  } catch (error) {
    if (isResponse(error, RC.handle)) return undefined;
    throw error;
  }
  if (size > MAX_CERTIFICATE) return undefined;
  const content = new Uint8Array(size);
  for (let offset = 0; offset < size; ) {
    const part = Math.min(NV_CHUNK, size - offset);
    const { data } = await tpm.execute(NV_READ, { authHandle: nvIndex, nvIndex, size: part, offset });
    content.set(data, offset);
    offset += part;
  }
  return content;
}

/** Cuts what manufacturers append (padding with 0x00 or 0xff) after one DER SEQUENCE; undefined when it is none. */
function firstSequence(content: Uint8Array): Uint8Array | undefined {
  const [tag, form, high, low] = content;
  if (tag !== 0x30 || form !== 0x82 || high === undefined || low === undefined) return undefined;
  const length = 4 + high * 256 + low;
  return length <= content.length ? content.subarray(0, length) : undefined;
}

/**
 * The endorsement key with the best proof of origin: the first of ECC P-256 and RSA-2048 that has a certificate in NV
 * memory, else the ECC one without. A persistent one is used where it is, else the key is derived again.
 */
export async function loadEndorsementKey(tpm: TpmExecutor): Promise<EndorsementKey> {
  for (const row of ROWS) {
    const content = await readNv(tpm, row.certificateIndex);
    const certificate = content && firstSequence(content);
    if (certificate !== undefined) return { ...(await keyOf(tpm, row)), certificate };
  }
  const [preferred] = ROWS;
  if (preferred === undefined) throw new Error('no endorsement key template');
  return { ...(await keyOf(tpm, preferred)), certificate: undefined };
}

async function keyOf(tpm: TpmExecutor, row: EndorsementKeyRow): Promise<Omit<EndorsementKey, 'certificate'>> {
  const persistent = await readObject(tpm, row.persistentHandle);
  if (persistent !== undefined && madeFrom(row.template, persistent.public))
    return { ...persistent, transient: false };
  return { ...(await createEndorsementPrimary(tpm, row.template)), transient: true };
}
