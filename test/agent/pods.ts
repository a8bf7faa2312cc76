import type { PodRules } from '../../agent/caller/judge-pod.ts';
import { launchedPod } from '../../injection/launched-pod.ts';
import { injectedPod } from '../../injection/spec-sha256.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import type { Pod } from '../../platform/kube/resources.ts';

const SIDECAR = `registry.internal/enclave-sidecar@sha256:${'1'.repeat(64)}`;
export const ROOTS = '{"system":[]}';

export const rules: PodRules = {
  crypto: nodeCrypto,
  node: 'node-1',
  releaseNamespace: 'enclave-licensing',
  sidecarImages: [SIDECAR],
  trustDomain: 'example.org',
  enclaveDomain: 'enclaves.example.org',
  acceptsRoots: (text) => text === ROOTS,
};

/** A launched enclave's pod as the API server shows it: injected, bound, with an address. */
export function storedPod(edit: (pod: Pod) => void = () => {}): Pod {
  const image = `registry.internal/app@sha256:${'2'.repeat(64)}`;
  const launch = { enclave: 'e1', ownerKeySha256: 'ab'.repeat(32), namespace: 'enclaves' };
  const injected = injectedPod(launchedPod({ image, upstream: 'pod:8080' }, launch), {
    crypto: nodeCrypto,
    sidecarImage: SIDECAR,
    roots: ROOTS,
    enclaveDomain: rules.enclaveDomain,
  });
  if (!injected.ok) throw new Error(injected.message);
  const pod = structuredClone(injected.value) as Pod;
  pod.metadata = { ...pod.metadata, uid: '11111111-2222-4333-8444-555555555555' };
  if (pod.spec) pod.spec.nodeName = 'node-1';
  pod.status = { phase: 'Pending', podIP: '127.70.0.7', podIPs: [{ ip: '127.70.0.7' }] };
  edit(pod);
  return pod;
}
