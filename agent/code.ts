import { type Refusal, refuse } from '../formats/bytes/result.ts';
import { POD_CHANGED } from '../names/wire.ts';

/** Why the agent refuses, and the HTTP status that says so. 401 and 403 end the connection; 429 and 503 mean "try again". */
export const STATUS_OF_CODE = {
  /** The first request on a connection has no bearer token. */
  'token-missing': 401,
  /** The API server does not know the token for our audience. */
  'token-refused': 401,
  /** A token that is not bound to a pod. */
  'caller-token': 403,
  /** The pod of the token is on another node. */
  'caller-node': 403,
  /** The connection comes from another address than the pod's. */
  'caller-address': 403,
  'caller-pod-missing': 403,
  'caller-pod-ended': 403,
  /** Being deleted: it gets trust documents, and nothing else. Its connection stays: the kubelet renews no token of such a pod, so another might not be let in. */
  'caller-pod-terminating': 409,
  /** It was connected, and is no longer what was said of it: for good. */
  [POD_CHANGED]: 403,
  'caller-mirror-pod': 403,
  'caller-namespace': 403,
  'caller-service-account': 403,
  /** The pod does not carry the sidecar of this release. */
  'caller-sidecar': 403,
  /** More connections of one pod than a sidecar has. */
  'caller-connections': 429,
  'request-malformed': 400,
  'request-path': 404,
  'request-method': 405,
  'request-too-large': 413,
  'request-media-type': 415,
  /** The certificate request is malformed, its signature wrong, its key unfit or its evidence not what the call needs. */
  'certificate-request': 400,
  /** The first quote on a connection shows certificate and request. */
  'certificate-needed': 409,
  /** No issuer of enclaves that the trust document names signed the certificate. */
  'certificate-issuer': 400,
  /** The certificate speaks for another pod, enclave, node or owner than the caller. */
  'certificate-pod': 400,
  /** The request does not prove that the caller holds the certified key. */
  'certificate-key': 400,
  'certificate-ended': 400,
  /** The certificate service said no. */
  'certificate-denied': 422,
  /** The certificate service did not answer in time. */
  'certificate-pending': 503,
  /** More statements of this pod wait for the TPM than one pod's share. */
  'caller-busy': 429,
  /** More statements wait for the TPM than the queue holds. */
  'agent-busy': 429,
  /** The agent has no attestation key certificate or trust document yet. */
  'agent-not-ready': 503,
  'tpm-unavailable': 503,
  'api-server-unavailable': 503,
  'agent-fault': 500,
} as const;

export type AgentCode = keyof typeof STATUS_OF_CODE;

export interface AgentRefusal extends Refusal<AgentCode> {
  /** When trying again makes sense. */
  readonly retryAfterMs?: number | undefined;
}

export function refuseCall(
  code: AgentCode,
  message: string,
  remedy: string,
  retryAfterMs?: number,
): AgentRefusal {
  return retryAfterMs === undefined
    ? refuse(code, message, remedy)
    : { ...refuse(code, message, remedy), retryAfterMs };
}

/** A value, or a refusal that may say when to try again. */
export type AgentResult<T> = { readonly ok: true; readonly value: T } | AgentRefusal;
