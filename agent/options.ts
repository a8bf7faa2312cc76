import {
  DEFAULT_ENCLAVE_DOMAIN,
  DEFAULT_RELEASE_NAMESPACE,
  DEFAULT_TRUST_DOMAIN,
} from '../names/components.ts';
import { PORTS } from '../names/wire.ts';
import type { Options } from '../platform/config/option.ts';
import { KUBE_OPTIONS } from '../platform/kube/kube-options.ts';

export const AGENT_OPTIONS = {
  ...KUBE_OPTIONS,
  node: { kind: 'string', required: true, help: 'name of the node whose TPM this agent owns' },
  tpm: {
    kind: 'string',
    default: 'device:/dev/tpmrm0',
    help: 'where the TPM is: device:/dev/tpmrm0, swtpm:/path/to/socket or swtpm:HOST:PORT',
  },
  certs: { kind: 'address', required: true, help: 'address of the certificate service' },
  certsName: {
    kind: 'string',
    help: 'DNS name in its certificate (default enclave-certs.<release namespace>.svc)',
  },
  enrolmentTokenFile: {
    kind: 'path',
    required: true,
    help: 'projected token with which the attestation key is enrolled',
  },
  rotateAttestationKey: {
    kind: 'choice',
    values: ['never', 'on-renewal'],
    default: 'never',
    help: 'whether a certificate that is renewed comes with another attestation key',
  },
  sidecarImages: {
    kind: 'list',
    required: true,
    help: "images that a sidecar may run, name@sha256:...: this release's and its predecessor's",
  },
  rootsFile: {
    kind: 'path',
    required: true,
    help: 'roots.json, as the certificate service published it first',
  },
  releaseNamespace: {
    kind: 'string',
    default: DEFAULT_RELEASE_NAMESPACE,
    help: 'namespace of this release; its pods are never enclaves',
  },
  trustDomain: { kind: 'string', default: DEFAULT_TRUST_DOMAIN, help: 'trust domain of SPIFFE IDs' },
  enclaveDomain: { kind: 'string', default: DEFAULT_ENCLAVE_DOMAIN, help: 'domain of the enclaves’ names' },
  port: { kind: 'integer', default: PORTS.agent, min: 0, max: 65_535, help: 'port that sidecars call' },
  maxWaiting: {
    kind: 'integer',
    default: 16_384,
    min: 2,
    max: 65_536,
    help: 'statements that may wait for the TPM; more are told when to try again',
  },
  maxWaitingPerPod: {
    kind: 'integer',
    default: 32,
    min: 1,
    max: 65_536,
    help: 'statements of one pod that may wait; a sidecar has six calls at most under way',
  },
} as const satisfies Options;
