/** What the parts agree on when they talk: ports, protocols, audiences, media types. */
export const PORTS = {
  sidecar: 8443,
  agent: 8444,
  webhook: 8445,
  certs: 8446,
  front: 8447,
  launcher: 8448,
  health: 9464,
} as const;

/** ALPN of the evidence endpoint. Only exactly this protocol is served without a client certificate. */
export const EVIDENCE_ALPN = 'enclave-evidence/1';
export const DEFAULT_ALPN = 'http/1.1';

/** Audience of the sidecar's projected token; only a kubelet may request one. */
export const AGENT_AUDIENCE = 'enclave-licensing.dev/agent';
/** Audience of the agent's projected token, with which it enrols. */
export const ENROLMENT_AUDIENCE = 'enclave-licensing.dev/enrolment';

/**
 * The agent's HTTP/1.1 for sidecars. `POST` with messages of agent.v1; `GET trust?version=<held, 0 for none>` is a long poll: 200 with
 * a SignedTrustDocument (evidence.v1, protobuf) that is newer, or 204 after at most 30 s; ask again at once. The first request on
 * a connection has `authorization: Bearer <token>`, later ones may. Refusals are problems (RFC 9457) with `code`; 401 and
 * 403 end the connection, 429 and 503 mean "try again".
 */
export const AGENT_PATHS = {
  prove: '/v1/prove',
  certify: '/v1/certify',
  quote: '/v1/quote',
  trust: '/v1/trust',
} as const;
/** The agent's code for a pod that is no longer what was said of it: its sidecar lets nobody in any more. */
export const POD_CHANGED = 'caller-pod-changed';
export const EVIDENCE_PATHS = { evidence: '/v1/evidence', accessDecision: '/v1/access-decision' } as const;

export const MEDIA_TYPES = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
  problem: 'application/problem+json',
} as const;

/** `ErrorInfo.domain` of every refusal over gRPC. */
export const ERROR_DOMAIN = 'enclave-licensing.dev';
