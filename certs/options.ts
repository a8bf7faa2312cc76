import {
  DEFAULT_ENCLAVE_DOMAIN,
  DEFAULT_RELEASE_NAMESPACE,
  DEFAULT_TRUST_DOMAIN,
} from '../names/components.ts';
import { PORTS } from '../names/wire.ts';
import type { Options } from '../platform/config/option.ts';
import { KUBE_OPTIONS } from '../platform/kube/kube-options.ts';

export const CERTS_OPTIONS = {
  ...KUBE_OPTIONS,
  ekRootsDir: {
    kind: 'path',
    required: true,
    help: 'folder of TPM vendors’ root certificates; those under emulated/ make emulated TPMs',
  },
  ekAllowList: {
    kind: 'path',
    help: 'YAML list of {ekSha256, trust: listed|emulated} for TPMs without a vendor’s root',
  },
  pcrs: {
    kind: 'string',
    default: 'sha256:0,1,2,3,4,5,6,7',
    help: 'PCRs that every quote in the cluster covers, bank and indices',
  },
  frontNames: { kind: 'list', default: [], help: "public DNS names in front's certificate besides its own" },
  webhookConfigurations: {
    kind: 'list',
    default: [],
    help: 'names of the webhook configurations whose caBundle is kept current',
  },
  releaseNamespace: {
    kind: 'string',
    default: DEFAULT_RELEASE_NAMESPACE,
    help: 'namespace of the components',
  },
  trustDomain: { kind: 'string', default: DEFAULT_TRUST_DOMAIN, help: 'trust domain of SPIFFE IDs' },
  enclaveDomain: { kind: 'string', default: DEFAULT_ENCLAVE_DOMAIN, help: "domain of enclaves' names" },
  port: { kind: 'integer', default: PORTS.certs, min: 0, max: 65_535, help: 'port of the gRPC services' },
} as const satisfies Options;
