/** The images, and which bundle of dist/ each runs. */
export interface Image {
  readonly name: string;
  /** Folder of dist/ that stands at /app. */
  readonly bundle: string;
  /** Key of the chart's `images.digests`; none: not shipped. */
  readonly chartKey: string | undefined;
  readonly title: string;
}

function shipped(name: string, key: string, title: string): Image {
  return { name, bundle: key, chartKey: key, title };
}

export const IMAGES: readonly Image[] = [
  shipped('enclave-webhook', 'webhook', 'Admission webhook that injects the attestation sidecar'),
  shipped('enclave-sidecar', 'sidecar', 'Attestation sidecar of an enclave'),
  shipped('enclave-agent', 'agent', "Agent that owns a node's TPM"),
  shipped('enclave-certs', 'certs', 'Certificate service'),
  shipped('enclave-front', 'front', 'Licensing server, the half that faces users'),
  shipped('enclave-launcher', 'launcher', 'Licensing server, the half that faces Kubernetes'),
  shipped('enclavectl', 'enclavectl', 'Command line of users, operators and auditors'),
  { name: 'demo-app', bundle: 'demo-app', chartKey: undefined, title: 'Workload of the demo and the tests' },
];

/** User and group of every image's process. */
export const IMAGE_USER = 65_532;
export const NODE_PATH = 'usr/bin/node';
/** V8's young generation otherwise grows with what lives, to 128 MB and more, and never shrinks: a fifth of what connections took. */
export const NODE_FLAGS = ['--max-semi-space-size=8'] as const;
/** No arguments: those of a pod follow. */
export const ENTRYPOINT = [`/${NODE_PATH}`, ...NODE_FLAGS, '/app/main.js'] as const;
