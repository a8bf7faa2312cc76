import { type Result, refuse, success } from '../../formats/bytes/result.ts';
import type { Settable } from '../../platform/run/live.ts';
import { createSuccessor, successorHandle } from '../../tpm/attestation-key.ts';
import { TpmResponseError } from '../../tpm/executor.ts';
import { evict, flush, readObject } from '../../tpm/objects.ts';
import type { TpmOwner, TpmSession } from '../attestation/tpm-owner.ts';
import { type AkCertificate, withCertificate } from './ak-certificates.ts';

export interface RotateOptions<C extends string> {
  readonly owner: TpmOwner;
  readonly certificates: Settable<readonly AkCertificate[]>;
  /** Unix seconds. */
  readonly now: number;
  /** Gets the certificate of a session's key. */
  enrol(session: TpmSession): Promise<Result<AkCertificate, C>>;
}

type RotationCode = 'rotation-interrupted' | 'rotation-refused';

/**
 * Gives the node another attestation key of the same endorsement key, while quotes go on: the successor is made and enrolled beside the key in service, takes
 * over for what begins from then on, and the old key leaves the TPM when its last quote is done. When anything fails
 * before the takeover, the old key serves on.
 * @throws what `enrol` throws; TpmUnavailable; TpmResponseError
 */
export async function rotate<C extends string>(
  options: RotateOptions<C>,
): Promise<Result<AkCertificate, C | RotationCode>> {
  const { owner, certificates, now } = options;
  const made = await owner.use(async (session) => {
    const { tpm, attestationKey } = session;
    const handle = await unlessRefused(() => successorHandle(tpm, attestationKey.handle));
    if (!handle.ok) return handle;
    const successor = await unlessRefused(() => createSuccessor(tpm));
    if (!successor.ok) return successor;
    try {
      const certificate = await options.enrol({ tpm, attestationKey: successor.value });
      if (!certificate.ok) return certificate;
      // Only now: what is not certified costs no NV memory.
      const kept = await unlessRefused(() => evict(tpm, successor.value.handle, handle.value));
      if (!kept.ok) return kept;
      const key = { ...successor.value, handle: handle.value };
      return success({ session, key, certificate: certificate.value });
    } finally {
      await flush(tpm, successor.value.handle);
    }
  });
  if (!made.ok) return made;
  const { session, key, certificate } = made.value;
  // Before the takeover, so that the successor's first quote finds it.
  certificates.set(withCertificate(certificates.current(), certificate, now));
  if ((await owner.succeed(session, key)) === undefined)
    return refuse('rotation-interrupted', 'the TPM was away during the rotation', 'it is tried again');
  await removeOld(owner, session.attestationKey.handle);
  return success(certificate);
}

/** A TPM that has no room for a second key is no reason to set it up again: the first one serves. */
async function unlessRefused<T>(work: () => Promise<T>): Promise<Result<T, 'rotation-refused'>> {
  try {
    return success(await work());
  } catch (error) {
    if (!(error instanceof TpmResponseError)) throw error;
    return refuse('rotation-refused', error.message, 'the TPM needs room for a second key for a moment');
  }
}

/** The TPM may have been away since, and what was left of the rotation removed. */
async function removeOld(owner: TpmOwner, handle: number): Promise<void> {
  await owner.use(async ({ tpm, attestationKey }) => {
    if (attestationKey.handle !== handle && (await readObject(tpm, handle)) !== undefined)
      await evict(tpm, handle, handle);
  });
}
