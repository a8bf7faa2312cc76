import type { InjectionConfig } from '../../injection/config.ts';
import { launchedPod } from '../../injection/launched-pod.ts';
import { injectedPod } from '../../injection/spec-sha256.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import { DOMAINS } from './support.ts';

const DIGEST = `sha256:${'12'.repeat(32)}`;
export const ROOTS_TEXT = '{"roots":"of the test"}';
export const APP_IMAGE = `registry.example/app@${DIGEST}`;
export const POD_UID = '0b6ae5cc-1f43-4b5c-9d0e-6f4a5a0d7c11';

export const INJECTION: InjectionConfig = {
  crypto: nodeCrypto,
  sidecarImage: `registry.example/enclave-sidecar@${DIGEST}`,
  roots: ROOTS_TEXT,
  enclaveDomain: DOMAINS.enclaveDomain,
};

/** A launched pod as the API server shows it once it runs on node-1: made and injected by the product's own code. */
export function launchedEnclavePod(
  launch: { readonly enclave: string; readonly ownerKeySha256: string },
  config: InjectionConfig = INJECTION,
): Pod {
  const profile = { image: APP_IMAGE, upstream: 'unix:/run/enclave/app.sock' };
  const injected = injectedPod(launchedPod(profile, { ...launch, namespace: 'team' }), config);
  if (!injected.ok) throw new Error(injected.message);
  const pod = structuredClone(injected.value) as unknown as Pod;
  return {
    ...pod,
    metadata: { ...pod.metadata, uid: POD_UID },
    spec: { ...pod.spec, containers: pod.spec?.containers ?? [], nodeName: 'node-1' },
    status: { phase: 'Running' },
  };
}
