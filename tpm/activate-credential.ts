import { randomBytes } from 'node:crypto';
import { type Result, refuse, success } from '../formats/bytes/result.ts';
import { EMPTY_PASSWORD, policyAuthorization } from '../formats/tpm/command-codec.ts';
import { ACTIVATE_CREDENTIAL, POLICY_SECRET, START_AUTH_SESSION } from '../formats/tpm/commands.ts';
import { decodeEncryptedSecret, decodeIdObject } from '../formats/tpm/credential.ts';
import { RH } from '../formats/tpm/handles.ts';
import { RC } from '../formats/tpm/response-codes.ts';
import { isResponse, type TpmExecutor } from './executor.ts';
import type { MadeCredential } from './make-credential.ts';
import { flush } from './objects.ts';

const EMPTY = new Uint8Array(0);

/**
 * Opens a credential (TPM 2.0 Library part 3, 12.5): only the TPM with this endorsement key can, and only for the
 * attestation key that it was made for. The endorsement key is used under its policy, PolicySecret of the
 * endorsement hierarchy. Refuses what is no credential for these keys.
 * @returns the secret that `makeCredential` protected
 */
export async function activateCredential(
  tpm: TpmExecutor,
  keys: { readonly attestationKey: number; readonly endorsementKey: number },
  credential: MadeCredential,
): Promise<Result<Uint8Array, 'credential-malformed' | 'credential-foreign'>> {
  const remedy = 'let the certificate service make a new challenge';
  const credentialBlob = decodeIdObject(credential.idObject);
  const secret = decodeEncryptedSecret(credential.encryptedSecret);
  if (!credentialBlob.ok) return refuse('credential-malformed', credentialBlob.message, remedy);
  if (!secret.ok) return refuse('credential-malformed', secret.message, remedy);
  const session = await policySession(tpm);
  try {
    const { certInfo } = await tpm.execute(
      ACTIVATE_CREDENTIAL,
      {
        activateHandle: keys.attestationKey,
        keyHandle: keys.endorsementKey,
        credentialBlob: credentialBlob.value,
        secret: secret.value,
      },
      [EMPTY_PASSWORD, policyAuthorization(session)],
    );
    return success(certInfo);
  } catch (error) {
    // The first error is what counts; a session that is left goes when everything is flushed at the next set-up.
    await flush(tpm, session).catch(() => undefined);
    if ([RC.integrity, RC.value, RC.size].some((code) => isResponse(error, code)))
      return refuse('credential-foreign', 'the credential is not for these keys of this TPM', remedy);
    throw error;
  }
}

/** A policy session in which PolicySecret(TPM_RH_ENDORSEMENT) holds: PolicyA of the EK profile. */
async function policySession(tpm: TpmExecutor): Promise<number> {
  const { sessionHandle } = await tpm.execute(START_AUTH_SESSION, {
    tpmKey: RH.null,
    bind: RH.null,
    nonceCaller: new Uint8Array(randomBytes(16)),
    encryptedSalt: EMPTY,
    sessionType: 'policy',
    symmetric: { kind: 'null' },
    authHash: 'sha256',
  });
  try {
    await tpm.execute(POLICY_SECRET, {
      authHandle: RH.endorsement,
      policySession: sessionHandle,
      nonceTPM: EMPTY,
      cpHashA: EMPTY,
      policyRef: EMPTY,
      expiration: 0,
    });
  } catch (error) {
    await flush(tpm, sessionHandle).catch(() => undefined);
    throw error;
  }
  return sessionHandle;
}
