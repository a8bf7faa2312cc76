import type { InjectionConfig } from '../../injection/config.ts';
import type { Pod } from '../../injection/pod.ts';
import { ANNOTATIONS, INJECT_LABEL } from '../../names/labels.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';

export const SIDECAR_IMAGE = `registry.example/enclave-sidecar@sha256:${'5c'.repeat(32)}`;
export const APP_IMAGE = `registry.example/app@sha256:${'a1'.repeat(32)}`;
export const OWNER_KEY = '0f'.repeat(32);

export const CONFIG: InjectionConfig = {
  crypto: nodeCrypto,
  sidecarImage: SIDECAR_IMAGE,
  roots: '{"system":["AAAA"]}',
  enclaveDomain: 'enclaves.enclave-licensing.internal',
  excludedNamespaces: ['enclave-licensing', 'kube-system'],
};

/** A self-deployed enclave's pod with the least it needs, and what a test changes. */
export function enclavePod(
  annotations: Record<string, string> = {},
  spec: object = {},
  labels: object = {},
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'web-1',
      namespace: 'shop',
      labels: { [INJECT_LABEL]: 'enabled', ...labels },
      annotations: { [ANNOTATIONS.upstream]: '8080', [ANNOTATIONS.ownerKey]: OWNER_KEY, ...annotations },
    },
    spec: { serviceAccountName: 'web', containers: [{ name: 'app', image: APP_IMAGE }], ...spec },
  };
}
