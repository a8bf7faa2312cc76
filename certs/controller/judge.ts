import type { Result } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { type CertificateSigningRequest, PODS } from '../../platform/kube/resources.ts';
import type { TpmSeen } from '../../verify/verdict.ts';
import { type CertsCode, refuseCerts } from '../code.ts';
import type { NodeRegistry } from '../enrolment/node-registry.ts';
import { type EvidenceTrust, readEnclaveEvidence } from '../evaluate/enclave-evidence.ts';
import { breachOfEnclaveRequest, type EnclaveSettings, evaluateEnclave } from '../evaluate/enclaves.ts';
import { podsOfEnclave } from '../evaluate/living-pod.ts';
import { issuerOf, type ReadRequest, readRequest } from '../evaluate/request.ts';
import type { Revocations } from '../evaluate/revocations.ts';
import { evaluateSystem, type SystemSettings } from '../evaluate/system.ts';
import { evaluateUser, readUserRequest } from '../evaluate/users.ts';
import type { CertificateProfile } from '../issue/profile.ts';
import { requestObject } from './request-state.ts';

/** What is true at the moment: taken anew for each request. */
export interface JudgeView {
  readonly enclaves: EnclaveSettings;
  readonly system: SystemSettings;
  readonly evidence: EvidenceTrust;
  readonly revocations: Revocations;
  /** Unix seconds. */
  readonly now: number;
}

/** What became of a request: for logs and metrics. */
export type Outcome = CertsCode | 'approved' | 'issued';

export interface JudgeOptions {
  readonly crypto: Crypto;
  readonly kube: Kube;
  readonly registry: Pick<NodeRegistry, 'isBound'>;
  view(): JudgeView;
  /** A quote that verified; resolves when it is kept. */
  onTpm(tpm: TpmSeen): Promise<void>;
}

/**
 * Decides about one request: gets what the decision needs from the API server, and leaves the decision to the pure `evaluate`s. A refusal
 * is for good; a throw means "try again".
 */
export type Judge = (object: CertificateSigningRequest) => Promise<Result<CertificateProfile, CertsCode>>;

export function createJudge(options: JudgeOptions): Judge {
  const { crypto, view } = options;
  return async (object) => {
    const asked = requestObject(object);
    const issuer = issuerOf(asked.signerName);
    if (issuer === undefined)
      return refuseCerts(
        'signer-unknown',
        `${asked.signerName} is no signer of ours`,
        'name one of our signers',
      );
    const request = readRequest(crypto, asked);
    if (!request.ok) return request;
    switch (issuer) {
      case 'system':
        return evaluateSystem(request.value, view().system);
      case 'users':
        return judgeUser(options, request.value);
      case 'enclaves':
        return judgeEnclave(options, request.value);
    }
  };
}

async function judgeUser(
  { crypto, kube, view }: JudgeOptions,
  request: ReadRequest,
): Promise<Result<CertificateProfile, CertsCode>> {
  const asked = readUserRequest(crypto, request, view().system);
  if (!asked.ok) return asked;
  const where = podsOfEnclave(asked.value.enclave);
  const pods = where === undefined ? [] : (await kube.list(PODS, where)).items;
  const { revocations, now } = view();
  return evaluateUser(crypto, request, asked.value, pods, revocations, now);
}

async function judgeEnclave(
  { crypto, kube, registry, view, onTpm }: JudgeOptions,
  request: ReadRequest,
): Promise<Result<CertificateProfile, CertsCode>> {
  const { enclaves, evidence, now } = view();
  const read = readEnclaveEvidence(crypto, request, evidence, now);
  if (!read.ok) return read;
  const { statement, tpm } = read.value;
  const breach = breachOfEnclaveRequest(request, statement, enclaves);
  if (breach !== undefined) return breach;
  const { node, namespace, name } = statement.pod;
  const [bound, pod] = await Promise.all([
    registry.isBound(node, tpm.ekSha256),
    kube.get(PODS, { namespace, name }),
  ]);
  if (!bound)
    return refuseCerts(
      'node-unbound',
      `TPM ${tpm.ekSha256} is no longer node ${node}'s`,
      'restart the pod of the node’s agent: it enrols at its start',
    );
  await onTpm(tpm);
  return evaluateEnclave(crypto, request, statement, pod, enclaves, view().revocations);
}
