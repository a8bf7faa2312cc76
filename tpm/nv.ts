import { NV_READ, NV_READ_PUBLIC } from '../formats/tpm/commands.ts';
import { RH } from '../formats/tpm/handles.ts';
import { RC } from '../formats/tpm/response-codes.ts';
import { NV_ATTRIBUTES } from '../formats/tpm/structures.ts';
import { isResponse, type TpmExecutor } from './executor.ts';

/** NV_Read takes at most TPM_PT_NV_BUFFER_MAX bytes; every TPM takes 512. */
const NV_CHUNK = 512;

/**
 * The content of an NV index that can be read with empty authorizations: its own, or the owner's. Undefined when it is absent, was never written, asks for
 * another one, or holds more than `max` bytes.
 */
export async function readNv(
  tpm: TpmExecutor,
  nvIndex: number,
  max: number,
): Promise<Uint8Array | undefined> {
  const read = await readPublic(tpm, nvIndex);
  if (read === undefined || read.size > max) return undefined;
  const content = new Uint8Array(read.size);
  for (let offset = 0; offset < content.length; ) {
    const size = Math.min(NV_CHUNK, content.length - offset);
    const { data } = await tpm.execute(NV_READ, { authHandle: read.authHandle, nvIndex, size, offset });
    content.set(data, offset);
    offset += size;
  }
  return content;
}

async function readPublic(
  tpm: TpmExecutor,
  nvIndex: number,
): Promise<{ size: number; authHandle: number } | undefined> {
  try {
    const { attributes, dataSize } = (await tpm.execute(NV_READ_PUBLIC, { nvIndex })).nvPublic;
    const has = (bit: keyof typeof NV_ATTRIBUTES): boolean => ((attributes >>> NV_ATTRIBUTES[bit]) & 1) === 1;
    if (!has('written') || !(has('authRead') || has('ownerRead'))) return undefined;
    return { size: dataSize, authHandle: has('authRead') ? nvIndex : RH.owner };
  } catch (error) {
    if (isResponse(error, RC.handle)) return undefined;
    throw error;
  }
}
