import { randomBytes } from 'node:crypto';
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

/**
 * In the range of the endorsement hierarchy (TCG Registry of Reserved TPM 2.0 Handles). One holds the key in service;
 * the other is for its successor, for the moment in which both are there.
 */
export const AK_HANDLE = 0x81010002;
export const AK_SUCCESSOR_HANDLE = 0x81010003;

const HANDLES: readonly number[] = [AK_HANDLE, AK_SUCCESSOR_HANDLE];

/** Ours is what our template makes in the endorsement hierarchy, and nothing else. */
function isOurs(key: ReadTpmObject): boolean {
  const expected = primaryQualifiedName(nodeCrypto, key.public, RH.endorsement);
  return madeFrom(AK_ECDSA_P256, key.public) && expected.ok && equal(expected.value, key.qualifiedName);
}

/**
 * The node's attestation key: restricted, fixed to this TPM, in the endorsement hierarchy, persistent. Created when there is none; the first one is the
 * same again when somebody removed it, because a primary key follows from seed and template. Two of ours are what is left of a
 * rotation that was cut short: one stays, the other is removed.
 * What stands at the first handle and is not made from our template is somebody else's: this throws and leaves it alone.
 * @param inService name of the key that should stay when there are two; default the one at the first handle
 */
export async function loadAttestationKey(tpm: TpmExecutor, inService?: Uint8Array): Promise<TpmObject> {
  const ours: TpmObject[] = [];
  for (const handle of HANDLES) {
    const found = await readObject(tpm, handle);
    if (found !== undefined && isOurs(found)) ours.push(found);
  }
  if (ours.length === 0) ours.push(await create(tpm));
  const kept = ours.find(({ name }) => inService !== undefined && equal(name, inService)) ?? ours[0];
  if (kept === undefined) throw new Error('no attestation key');
  for (const other of ours) if (other !== kept) await evict(tpm, other.handle, other.handle);
  return kept;
}

/**
 * A new attestation key of the same template, with a random `unique` part, so that the seed gives another key. Transient: it costs no NV memory until it is
 * certified and kept. The caller flushes it.
 */
export function createSuccessor(tpm: TpmExecutor): Promise<TpmObject> {
  return createEndorsementPrimary(tpm, {
    ...AK_ECDSA_P256,
    unique: { kind: 'ecc', x: new Uint8Array(randomBytes(32)), y: new Uint8Array(randomBytes(32)) },
  });
}

/**
 * The handle for a successor: the one beside the key in service. What is left there of a rotation that was cut short is removed.
 * @throws when somebody else's key stands there
 */
export async function successorHandle(tpm: TpmExecutor, inService: number): Promise<number> {
  const handle = HANDLES.find((each) => each !== inService) ?? AK_SUCCESSOR_HANDLE;
  const there = await readObject(tpm, handle);
  if (there !== undefined && !isOurs(there)) throw foreign(handle);
  if (there !== undefined) await evict(tpm, handle, handle);
  return handle;
}

async function create(tpm: TpmExecutor): Promise<TpmObject> {
  const created = await createEndorsementPrimary(tpm, AK_ECDSA_P256);
  try {
    await evict(tpm, created.handle, AK_HANDLE);
  } catch (error) {
    // Taken: the caller gets what is there now, if it is ours.
    if (!isResponse(error, RC.nvDefined)) throw error;
  } finally {
    await flush(tpm, created.handle);
  }
  const kept = await readObject(tpm, AK_HANDLE);
  if (kept === undefined || !isOurs(kept)) throw foreign(AK_HANDLE);
  return kept;
}

function foreign(handle: number): Error {
  return new Error(
    `the persistent handle 0x${handle.toString(16)} holds another key: remove it with tpm2_evictcontrol if nobody needs it`,
  );
}
