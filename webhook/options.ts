import { DEFAULT_ENCLAVE_DOMAIN, DEFAULT_RELEASE_NAMESPACE } from '../names/components.ts';
import { PORTS } from '../names/wire.ts';
import type { Options } from '../platform/config/option.ts';
import { KUBE_OPTIONS } from '../platform/kube/kube-options.ts';

export const WEBHOOK_OPTIONS = {
  ...KUBE_OPTIONS,
  sidecarImage: { kind: 'string', required: true, help: 'the sidecar’s image, name@sha256:<digest>' },
  formerSidecarImages: {
    kind: 'list',
    default: [],
    help: 'images of the release before, each by digest: pods that run one are no finding',
  },
  rootsFile: { kind: 'path', required: true, help: 'roots.json of the ConfigMap enclave-licensing-roots' },
  enclaveDomain: { kind: 'string', default: DEFAULT_ENCLAVE_DOMAIN, help: 'domain of the enclaves’ names' },
  releaseNamespace: {
    kind: 'string',
    default: DEFAULT_RELEASE_NAMESPACE,
    help: 'namespace of this release, never injected',
  },
  excludedNamespaces: {
    kind: 'list',
    default: ['kube-system'],
    help: 'more namespaces that are never injected',
  },
  port: {
    kind: 'integer',
    default: PORTS.webhook,
    min: 0,
    max: 65_535,
    help: 'port of /mutate, /validate and /validate-namespace',
  },
  clientCaFile: {
    kind: 'path',
    help: 'roots (PEM) of the client certificate that the API server must show',
  },
  clientNames: {
    kind: 'list',
    default: [],
    help: 'common or DNS names of which that certificate must have one; none: any that the roots signed',
  },
  clientTokenFile: {
    kind: 'path',
    help: 'bearer tokens, one a line, of which the API server must send one',
  },
  drainDelay: {
    kind: 'duration',
    default: '5s',
    help: 'how long to go on serving after SIGTERM, until no API server is sent here any more',
  },
} as const satisfies Options;
