import { DEFAULT_ENCLAVE_DOMAIN, DEFAULT_RELEASE_NAMESPACE } from '../../names/components.ts';
import { PORTS } from '../../names/wire.ts';
import type { Options } from '../../platform/config/option.ts';
import { KUBE_OPTIONS } from '../../platform/kube/kube-options.ts';

export const LAUNCHER_OPTIONS = {
  ...KUBE_OPTIONS,
  certs: { kind: 'address', required: true, help: 'the certificate service’s address' },
  certsName: { kind: 'string', help: 'its DNS name (default enclave-certs.<release namespace>.svc)' },
  namespaces: {
    kind: 'list',
    required: true,
    help: 'where profiles are looked for and pods created; the first comes first',
  },
  sidecarImage: { kind: 'string', required: true, help: 'the sidecar’s image, name@sha256:<digest>' },
  formerSidecarImages: {
    kind: 'list',
    default: [],
    help: 'images of the release before, each by digest: enclaves that run one keep being handed out',
  },
  rootsFile: { kind: 'path', required: true, help: 'roots.json of the ConfigMap enclave-licensing-roots' },
  enclaveDomain: { kind: 'string', default: DEFAULT_ENCLAVE_DOMAIN, help: 'domain of the enclaves’ names' },
  publicEndpoint: {
    kind: 'address',
    help: 'host:port where users reach every enclave: a proxy that forwards TLS by server name (default: the pod’s own address)',
  },
  requireIsolation: {
    kind: 'boolean',
    default: true,
    help: 'whether a launch fails when the app can be reached past the sidecar',
  },
  launchTimeout: { kind: 'duration', default: '5m', help: 'for a launch whose caller names no time' },
  releaseNamespace: { kind: 'string', default: DEFAULT_RELEASE_NAMESPACE, help: 'namespace of this release' },
  port: { kind: 'integer', default: PORTS.launcher, max: 65_535, help: 'port of the launcher’s API' },
} as const satisfies Options;
