import { equal } from '../../formats/bytes/bytes.ts';
import { type Result, refuse, success } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import { encodePublic, publicToSpki } from '../../formats/tpm/public.ts';
import type { RpcClient } from '../../platform/rpc/rpc-client.ts';
import { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import type {
  EnrolRequest,
  EnrolResponse,
} from '../../proto/gen/enclave_licensing/enrolment/v1/enrolment.ts';
import type { EnrolmentServiceService } from '../../proto/gen/enclave_licensing/enrolment/v1/enrolment_service.ts';
import { activateCredential } from '../../tpm/activate-credential.ts';
import { loadEndorsementKey } from '../../tpm/endorsement-key.ts';
import { flush } from '../../tpm/objects.ts';
import { verifyChain } from '../../verify/certificate-chain.ts';
import type { TpmSession } from '../attestation/tpm-owner.ts';
import type { AkCertificate } from './ak-certificates.ts';

export interface EnrolOptions {
  readonly client: Pick<RpcClient<typeof EnrolmentServiceService>, 'enrol'>;
  readonly crypto: Crypto;
  readonly roots: Roots;
  /** Unix seconds. */
  readonly now: number;
  readonly token: string;
  readonly signal: AbortSignal;
}

export type EnrolCode = 'enrolment-protocol' | 'enrolment-credential' | 'enrolment-certificate';

/**
 * Proves to the certificate service that the attestation key lives in the TPM of the endorsement key (TPM 2.0 Library part 1,
 * 24: credential activation), and gets the key's certificate. The endorsement key is loaded for this alone.
 * @throws RpcRefusal and RpcError of the certificate service; TpmUnavailable
 */
export async function enrol(
  session: TpmSession,
  options: EnrolOptions,
): Promise<Result<AkCertificate, EnrolCode>> {
  const { tpm, attestationKey } = session;
  const endorsementKey = await loadEndorsementKey(tpm);
  try {
    const hello: EnrolRequest = {
      step: {
        $case: 'hello',
        value: {
          endorsementKeyPublic: encodePublic(endorsementKey.public),
          endorsementKeyCertificateChain: [...endorsementKey.certificateChain],
          attestationKeyPublic: encodePublic(attestationKey.public),
        },
      },
    };
    const activation = Promise.withResolvers<EnrolRequest | undefined>();
    const requests = (async function* () {
      yield hello;
      const next = await activation.promise;
      if (next !== undefined) yield next;
    })();
    try {
      const { token, signal } = options;
      const answers = options.client
        .enrol(requests, { token, signal, timeoutMs: 60_000 })
        [Symbol.asyncIterator]();
      const challenge = stepOf(await answers.next());
      if (challenge?.$case !== 'challenge') return protocol('a challenge');
      const keys = { attestationKey: attestationKey.handle, endorsementKey: endorsementKey.handle };
      const secret = await activateCredential(tpm, keys, challenge.value);
      if (!secret.ok) return refuse('enrolment-credential', secret.message, secret.remedy);
      activation.resolve({ step: { $case: 'activation', value: { secret: secret.value } } });
      const issued = stepOf(await answers.next());
      if (issued?.$case !== 'certificate') return protocol('a certificate');
      return judge(issued.value.certificateChain, session, options);
    } catch (error) {
      throw withReasons(error, endorsementKey.passedOver);
    } finally {
      activation.resolve(undefined);
    }
  } finally {
    if (endorsementKey.transient) await flush(tpm, endorsementKey.handle);
  }
}

/** A TPM that is not trusted may be so because of what is in its NV memory, which the certificate service does not see. */
function withReasons(error: unknown, passedOver: readonly string[]): unknown {
  if (!(error instanceof RpcRefusal) || passedOver.length === 0) return error;
  const { status, code, message, remedy, details } = error;
  return new RpcRefusal(status, { code, message: [message, ...passedOver].join('; '), remedy }, details);
}

function stepOf(result: IteratorResult<EnrolResponse>): EnrolResponse['step'] {
  return result.done ? undefined : result.value.step;
}

function protocol(expected: string): Result<never, EnrolCode> {
  return refuse(
    'enrolment-protocol',
    `the certificate service did not answer with ${expected}`,
    'agent and certificate service must be of one release',
  );
}

/** The certificate must be for our key, and by one of our issuers: else every verifier would refuse it. */
function judge(
  chain: readonly Uint8Array[],
  session: TpmSession,
  { crypto, roots, now }: EnrolOptions,
): Result<AkCertificate, EnrolCode> {
  const no = (message: string): Result<never, EnrolCode> =>
    refuse('enrolment-certificate', message, 'look at the certificate service');
  const leaf = verifyChain(crypto, chain, { roots, role: 'attestation-keys', now });
  if (!leaf.ok) return no(`${leaf.message} (${leaf.code})`);
  const spki = publicToSpki(session.attestationKey.public);
  if (!spki.ok || !equal(leaf.value.spki, spki.value)) return no('the certificate is for another key');
  return success({
    chain: [...chain],
    notBefore: leaf.value.notBefore,
    notAfter: leaf.value.notAfter,
    attestationKeyPublic: encodePublic(session.attestationKey.public),
  });
}
