import { equal } from '../formats/bytes/bytes.ts';
import type { Authorization } from '../formats/tpm/command-codec.ts';
import {
  CREATE_PRIMARY,
  EVICT_CONTROL,
  FLUSH_CONTEXT,
  GET_CAPABILITY,
  READ_PUBLIC,
  STARTUP,
} from '../formats/tpm/commands.ts';
import { HANDLE_RANGES, RH } from '../formats/tpm/handles.ts';
import { encodePublic, type Public } from '../formats/tpm/public.ts';
import { RC } from '../formats/tpm/response-codes.ts';
import { isResponse, type TpmExecutor } from './executor.ts';

/** An object in the TPM. */
export interface TpmObject {
  readonly handle: number;
  readonly public: Public;
  readonly name: Uint8Array;
}

export interface ReadTpmObject extends TpmObject {
  /** Which hierarchy it is in, and under which parents (part 1, 26.5). */
  readonly qualifiedName: Uint8Array;
}

/** Starts the TPM unless it runs already (part 3, 9.3). */
export async function startup(tpm: TpmExecutor): Promise<void> {
  try {
    await tpm.execute(STARTUP, { startupType: 'clear' });
  } catch (error) {
    if (!isResponse(error, RC.initialize)) throw error;
  }
}

/** Handles in use from the first of a range on (part 3, 30.2); at most 64. */
export async function handlesFrom(tpm: TpmExecutor, first: number): Promise<readonly number[]> {
  const { capabilityData } = await tpm.execute(GET_CAPABILITY, {
    capability: 'handles',
    property: first,
    propertyCount: 64,
  });
  return capabilityData.kind === 'handles' ? capabilityData.list : [];
}

export async function flush(tpm: TpmExecutor, handle: number): Promise<void> {
  await tpm.execute(FLUSH_CONTEXT, { flushHandle: handle });
}

/**
 * Frees what an earlier owner left loaded: a TPM has as few as three slots. Only for the one owner of a TPM; behind
 * the kernel's resource manager it sees its own objects, and loaded sessions are its own, because the kernel saves those of others
 * before each command. Saved ones are therefore left alone.
 */
export async function flushAll(tpm: TpmExecutor): Promise<void> {
  for (const range of [HANDLE_RANGES.transient, HANDLE_RANGES.loadedSession])
    for (const handle of await handlesFrom(tpm, range)) await flush(tpm, handle);
}

/** The object at a handle; undefined when there is none. */
export async function readObject(tpm: TpmExecutor, handle: number): Promise<ReadTpmObject | undefined> {
  try {
    const { outPublic, name, qualifiedName } = await tpm.execute(READ_PUBLIC, { objectHandle: handle });
    return { handle, public: outPublic, name, qualifiedName };
  } catch (error) {
    if (isResponse(error, RC.handle)) return undefined;
    throw error;
  }
}

/** A primary key of the endorsement hierarchy: the same template gives the same key for as long as the TPM's seed lives. */
export async function createEndorsementPrimary(tpm: TpmExecutor, template: Public): Promise<TpmObject> {
  const created = await tpm.execute(CREATE_PRIMARY, {
    primaryHandle: RH.endorsement,
    inSensitive: { userAuth: new Uint8Array(0), data: new Uint8Array(0) },
    inPublic: template,
    outsideInfo: new Uint8Array(0),
    creationPCR: [],
  });
  return { handle: created.objectHandle, public: created.outPublic, name: created.name };
}

/** Makes a transient object persistent, or removes a persistent one (part 3, 28.5), as the owner. */
export async function evict(
  tpm: TpmExecutor,
  objectHandle: number,
  persistentHandle: number,
  authorizations: readonly Authorization[] = [],
): Promise<void> {
  await tpm.execute(EVICT_CONTROL, { auth: RH.owner, objectHandle, persistentHandle }, authorizations);
}

/** Whether a key was made from a template: all but its unique part. */
export function madeFrom(template: Public, key: Public): boolean {
  if (key.unique.kind !== template.unique.kind || key.parameters.kind !== template.parameters.kind)
    return false;
  return equal(encodePublic(template), encodePublic({ ...key, unique: template.unique }));
}
