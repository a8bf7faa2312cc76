import { type Result, refuse, success } from '../../formats/bytes/result.ts';
import type { Settable } from '../../platform/run/live.ts';
import { createSuccessor, keepSuccessor } from '../../tpm/attestation-key.ts';
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

/**
 * Gives the node another attestation key of the same endorsement key, while quotes go on: the successor is made and enrolled beside the key in service, takes
 * over for what begins from then on, and the old key leaves the TPM when its last quote is done. When anything fails
 * before the takeover, the old key serves on.
 * @throws what `enrol` throws; TpmUnavailable; TpmResponseError
 */
export async function rotate<C extends string>(
  options: RotateOptions<C>,
): Promise<Result<AkCertificate, C | 'rotation-interrupted'>> {
  const { owner, certificates, now } = options;
  const made = await owner.use(async (session) => {
    const successor = await createSuccessor(session.tpm);
    try {
      const certificate = await options.enrol({ ...session, attestationKey: successor });
      if (!certificate.ok) return certificate;
      const key = await keepSuccessor(session.tpm, successor, session.attestationKey.handle);
      return success({ session, key, certificate: certificate.value });
    } finally {
      await flush(session.tpm, successor.handle);
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

/** The TPM may have been away since, and what was left of the rotation removed. */
async function removeOld(owner: TpmOwner, handle: number): Promise<void> {
  await owner.use(async ({ tpm, attestationKey }) => {
    if (attestationKey.handle !== handle && (await readObject(tpm, handle)) !== undefined)
      await evict(tpm, handle, handle);
  });
}
