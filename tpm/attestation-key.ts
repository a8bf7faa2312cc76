import { equal } from '../formats/bytes/bytes.ts';
import { RH } from '../formats/tpm/handles.ts';
import { primaryQualifiedName } from '../formats/tpm/public.ts';
import { RC } from '../formats/tpm/response-codes.ts';
import { AK_ECDSA_P256 } from '../formats/tpm/templates.ts';
import { nodeCrypto } from '../platform/crypto/node-crypto.ts';
import { isResponse, type TpmExecutor } from './executor.ts';
import {
  createEndorsementPrimary,
  evict,
  flush,
  madeFrom,
  type ReadTpmObject,
  readObject,
  type TpmObject,
} from './objects.ts';

/** In the range of the endorsement hierarchy (TCG Registry of Reserved TPM 2.0 Handles). */
export const AK_HANDLE = 0x81010002;

/** Ours is what our template makes in the endorsement hierarchy, and nothing else. */
function isOurs(key: ReadTpmObject): boolean {
  const expected = primaryQualifiedName(nodeCrypto, key.public, RH.endorsement);
  return madeFrom(AK_ECDSA_P256, key.public) && expected.ok && equal(expected.value, key.qualifiedName);
}

/**
 * The node's attestation key: restricted, fixed to this TPM, in the endorsement hierarchy, persistent. Created when it
 * is not there; the same again when somebody removed it, because a primary key follows from seed and template.
 * What stands at the handle and is not made from our template is somebody else's: this throws and leaves it alone.
 */
export async function loadAttestationKey(tpm: TpmExecutor): Promise<TpmObject> {
  const found = await readObject(tpm, AK_HANDLE);
  if (found === undefined) await create(tpm);
  const kept = found ?? (await readObject(tpm, AK_HANDLE));
  if (kept !== undefined && isOurs(kept)) return kept;
  throw new Error(
    `the persistent handle 0x${AK_HANDLE.toString(16)} holds another key: remove it with tpm2_evictcontrol if nobody needs it`,
  );
}

async function create(tpm: TpmExecutor): Promise<void> {
  const created = await createEndorsementPrimary(tpm, AK_ECDSA_P256);
  try {
    await evict(tpm, created.handle, AK_HANDLE);
  } catch (error) {
    // Somebody was faster: the caller judges what is there now.
    if (!isResponse(error, RC.nvDefined)) throw error;
  } finally {
    await flush(tpm, created.handle);
  }
}
