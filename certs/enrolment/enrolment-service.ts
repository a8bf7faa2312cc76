import { timingSafeEqual } from 'node:crypto';
import { toHex } from '../../formats/bytes/bytes.ts';
import { type Result, success } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import { objectName } from '../../formats/tpm/public.ts';
import type { TpmTrust } from '../../formats/x509/bindings.ts';
import { parseCertificate } from '../../formats/x509/certificate.ts';
import { componentUser } from '../../names/components.ts';
import { ENROLMENT_AUDIENCE } from '../../names/wire.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { reviewToken } from '../../platform/kube/token-review.ts';
import type { RpcCall } from '../../platform/rpc/rpc-call.ts';
import { RpcError } from '../../platform/rpc/rpc-error.ts';
import type { Handlers } from '../../platform/rpc/service.ts';
import { aborted } from '../../platform/run/aborted.ts';
import { explain } from '../../platform/run/explain.ts';
import type {
  EnrolHello,
  EnrolRequest,
  EnrolResponse,
} from '../../proto/gen/enclave_licensing/enrolment/v1/enrolment.ts';
import type { EnrolmentServiceService } from '../../proto/gen/enclave_licensing/enrolment/v1/enrolment_service.ts';
import { type MadeCredential, makeCredential } from '../../tpm/make-credential.ts';
import { type CertsCode, refuseCerts } from '../code.ts';
import { rfc3339 } from '../controller/rfc3339.ts';
import type { Issued } from '../issue/issue.ts';
import type { CertificateProfile } from '../issue/profile.ts';
import { attestationKeyProfile } from '../issue/profiles.ts';
import { refuseCall } from '../refuse-call.ts';
import { createCallerPlaces } from './caller-places.ts';
import { type EndorsementContext, trustEndorsementKey } from './endorsement-trust.ts';
import type { NodeRegistry } from './node-registry.ts';
import { readAttestationKey, readEndorsementKey, type TpmKey } from './tpm-keys.ts';

export interface EnrolmentOptions {
  readonly crypto: Crypto;
  readonly kube: Kube;
  readonly releaseNamespace: string;
  readonly registry: NodeRegistry;
  /** Read anew for each enrolment, so that the operator's files count at once. */
  endorsements(): Omit<EndorsementContext, 'crypto'>;
  sign(profile: CertificateProfile): Result<Issued, CertsCode>;
  random(bytes: number): Uint8Array;
  onOutcome(outcome: CertsCode | 'enrolled'): void;
  onEnrolled(node: string, ekSha256: string): Promise<void>;
}

const SECRET_BYTES = 32;
/** A TPM takes seconds for an activation, not minutes; a stream that waits longer holds a challenge for nothing. */
const ACTIVATION_MS = 60_000;

/** `enrolment.v1`: an attestation key gets its certificate only when it is loaded in the TPM whose endorsement key counts. */
export function enrolmentHandlers(options: EnrolmentOptions): Handlers<typeof EnrolmentServiceService> {
  const places = createCallerPlaces();
  return {
    enrol: async function* (requests, call) {
      const place = places.take(call.peer.address);
      const fail = (refusal: Parameters<typeof refuseCall>[0]) => {
        options.onOutcome(refusal.code);
        return refuseCall(refusal);
      };
      if (place === undefined)
        throw fail(
          refuseCerts('enrolment-busy', `${call.peer.address} enrols too often at once`, 'try again later'),
        );
      let refused = true;
      try {
        const node = await fromApiServer(callersNode(options, call));
        if (!node.ok) throw fail(node);
        refused = false;
        yield* enrolNode(options, node.value, requests, call, fail);
      } finally {
        place.leave(refused);
      }
    },
  };
}

async function* enrolNode(
  options: EnrolmentOptions,
  node: string,
  requests: AsyncIterable<EnrolRequest>,
  call: RpcCall,
  fail: typeof refuseCall,
): AsyncGenerator<EnrolResponse> {
  const steps = requests[Symbol.asyncIterator]();
  const log = call.log.child({ node });
  const hello = await nextStep(steps, 'hello', call.signal);
  if (!hello.ok) throw fail(hello);
  const candidate = judgeHello(options, hello.value);
  if (!candidate.ok) throw fail(candidate);
  const { trust, attestationKey, secret, credential } = candidate.value;
  log.info({ ekSha256: trust.ekSha256, how: trust.how }, 'endorsement key trusted, challenge sent');
  yield { step: { $case: 'challenge', value: credential } };
  const activation = await nextStep(steps, 'activation', call.signal);
  if (!activation.ok) throw fail(activation);
  if (!sameSecret(activation.value.secret, secret))
    throw fail(
      refuseCerts(
        'activation-failed',
        'this is not the secret of the challenge',
        'the attestation key must be loaded in the TPM of the endorsement key',
      ),
    );
  const certificate = await fromApiServer(certify(options, node, trust, attestationKey));
  if (!certificate.ok) throw fail(certificate);
  options.onOutcome('enrolled');
  log.info({ ekSha256: trust.ekSha256, how: trust.how }, 'enrolled');
  yield { step: { $case: 'certificate', value: { certificateChain: [certificate.value] } } };
}

/** What failed because the API server is away, is worth another try, and says so. */
async function fromApiServer<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new RpcError('UNAVAILABLE', `the API server: ${explain(error)}`);
  }
}

/** The node whose agent calls: its projected token, reviewed for our audience, pod-bound, of the agent's service account. */
async function callersNode(options: EnrolmentOptions, call: RpcCall): Promise<Result<string, CertsCode>> {
  const no = (message: string) =>
    refuseCerts('token-refused', message, 'call with the agent’s projected token of the enrolment audience');
  if (call.bearerToken === undefined) return no('no bearer token');
  const who = await reviewToken(options.kube, call.bearerToken, ENROLMENT_AUDIENCE);
  if (who === undefined) return no('the API server does not know this token for our audience');
  if (who.username !== componentUser('agent', options.releaseNamespace))
    return no(`${who.username} is not the agent`);
  if (who.nodeName === undefined || who.podUid === undefined) return no('the token names no pod and node');
  return success(who.nodeName);
}

type Step<K extends string> = Extract<NonNullable<EnrolRequest['step']>, { $case: K }>['value'];

async function nextStep<K extends 'hello' | 'activation'>(
  steps: AsyncIterator<EnrolRequest>,
  wanted: K,
  signal: AbortSignal,
): Promise<Result<Step<K>, CertsCode>> {
  const timeout = AbortSignal.any([signal, AbortSignal.timeout(ACTIVATION_MS)]);
  const waited = aborted(timeout).then(() => 'late' as const);
  const next = await Promise.race([steps.next(), waited]);
  const step = next === 'late' || next.done ? undefined : next.value.step;
  if (step?.$case !== wanted)
    return refuseCerts(
      'enrolment-sequence',
      `${wanted} is expected, ${next === 'late' ? 'and did not come in time' : `not ${step?.$case ?? 'an end'}`}`,
      'hello, then activation, on one stream',
    );
  return success(step.value as Step<K>);
}

interface Candidate {
  readonly trust: TpmTrust;
  readonly attestationKey: TpmKey;
  readonly secret: Uint8Array;
  readonly credential: MadeCredential;
}

function judgeHello(options: EnrolmentOptions, hello: EnrolHello): Result<Candidate, CertsCode> {
  const endorsementKey = readEndorsementKey(hello.endorsementKeyPublic);
  if (!endorsementKey.ok) return endorsementKey;
  const attestationKey = readAttestationKey(hello.attestationKeyPublic);
  if (!attestationKey.ok) return attestationKey;
  const context = { crypto: options.crypto, ...options.endorsements() };
  const trust = trustEndorsementKey(endorsementKey.value.spki, hello.endorsementKeyCertificateChain, context);
  if (!trust.ok) return trust;
  const name = objectName(options.crypto, attestationKey.value.public);
  if (!name.ok) return refuseCerts('ak-attributes', name.message, name.remedy);
  const secret = options.random(SECRET_BYTES);
  const credential = makeCredential(endorsementKey.value.public, name.value, secret);
  if (!credential.ok) return refuseCerts('ek-attributes', credential.message, credential.remedy);
  return success({
    trust: trust.value,
    attestationKey: attestationKey.value,
    secret,
    credential: credential.value,
  });
}

function sameSecret(given: Uint8Array, secret: Uint8Array): boolean {
  return given.length === secret.length && timingSafeEqual(given, secret);
}

async function certify(
  options: EnrolmentOptions,
  node: string,
  trust: TpmTrust,
  attestationKey: TpmKey,
): Promise<Result<Uint8Array, CertsCode>> {
  // Bound before it is signed: a certificate for a node that is another TPM's never exists.
  const bound = await options.registry.bind(node, trust);
  if (!bound.ok) return bound;
  await options.onEnrolled(node, trust.ekSha256);
  const issued = options.sign(attestationKeyProfile(attestationKey.spki, node, trust));
  if (!issued.ok) return issued;
  const parsed = parseCertificate(issued.value.certificate);
  if (!parsed.ok) throw new Error(`a certificate of our own does not parse: ${parsed.message}`);
  await options.registry.record(node, {
    spkiSha256: toHex(options.crypto.hash('sha256', attestationKey.spki)),
    serial: parsed.value.serial,
    notAfter: rfc3339(issued.value.notAfter * 1000),
  });
  return success(issued.value.certificate);
}
