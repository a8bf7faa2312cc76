import type { ConfigOf, Options } from '../platform/config/option.ts';
import type { CommonOptions } from '../platform/run/context.ts';

/**
 * The sidecar's settings. In a pod all of them come from the environment that injection wrote (names/sidecar.ts); the rest
 * keep their defaults, because validation compares the whole environment.
 */
export const SIDECAR_OPTIONS = {
  roots: { kind: 'string', required: true, help: 'text of roots.json: the first roots, from the pod spec' },
  enclave: { kind: 'string', required: true, help: 'id of the enclave' },
  enclaveDomain: { kind: 'string', required: true, help: 'domain of the name in the certificate' },
  ownerKey: { kind: 'string', help: 'lower-case hex SHA-256 of the owner key (SPKI, DER)' },
  mode: { kind: 'choice', values: ['tcp', 'http'], default: 'tcp', help: 'what is forwarded' },
  upstream: { kind: 'string', required: true, help: '8080, 127.0.0.1:8080, pod:8080 or unix:/path' },
  auth: { kind: 'choice', values: ['mtls', 'jwt'], default: 'mtls', help: 'how users show who they are' },
  alpn: { kind: 'list', default: ['http/1.1'], help: 'protocols that tcp mode may choose' },
  keyType: { kind: 'choice', values: ['p256', 'p384'], default: 'p256', help: 'curve of the own key' },
  certificateLifetime: { kind: 'duration', default: '24h', help: 'lifetime the certificate should have' },
  tokenFile: { kind: 'path', required: true, help: 'projected token for the agent' },
  agentHost: { kind: 'string', required: true, help: 'address of the node, where its agent listens' },
  agentPort: { kind: 'integer', default: 8444, min: 1, max: 65_535, help: 'port of the agent' },
  node: { kind: 'string', required: true, help: 'name of the node; the agent’s certificate must name it' },
  podUid: { kind: 'string', required: true, help: 'UID of the pod' },
  listenPort: { kind: 'integer', default: 8443, min: 0, max: 65_535, help: 'port of the enclave' },
  trustLimit: {
    kind: 'duration',
    default: '1h',
    help: 'without a trust document younger than this, data is refused; evidence is still served',
  },
  connectTimeout: { kind: 'duration', default: '5s', help: 'how long dialling the app may take' },
  requestTimeout: {
    kind: 'duration',
    default: '10s',
    help: 'http mode: how long a client may take until its first request is there',
  },
  accessLog: {
    kind: 'choice',
    values: ['on', 'off'],
    default: 'on',
    help: 'http mode: one line on standard output for each request',
  },
  idleTimeout: { kind: 'duration', default: '1h', help: 'a connection without traffic ends after this' },
  maxConnections: {
    kind: 'integer',
    min: 1,
    help: 'connections at one time; default: as many as fit into the memory limit',
  },
} as const satisfies Options;

export type SidecarConfig = ConfigOf<CommonOptions> & ConfigOf<typeof SIDECAR_OPTIONS>;
