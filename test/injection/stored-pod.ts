import type { Container, Pod } from '../../injection/pod.ts';
import { type EnclaveProfile, parseProfile } from '../../injection/profile.ts';
import { injectedPod } from '../../injection/spec-sha256.ts';
import { APP_IMAGE, CONFIG, OWNER_KEY } from './support.ts';

export const LAUNCH = { enclave: 'eabcdefghijklmno', ownerKeySha256: OWNER_KEY, namespace: 'shop' };
export const PROFILE = {
  image: APP_IMAGE,
  upstream: 'unix:/run/enclave/app.sock',
  mode: 'http',
  args: ['--listen', ''],
  env: [
    { name: 'EMPTY', value: '' },
    { name: 'A', value: 'b' },
  ],
};

export function injected(pod: Pod): Pod {
  const result = injectedPod(pod, CONFIG);
  if (!result.ok) throw new Error(result.message);
  return result.value;
}

export function profile(): EnclaveProfile {
  const parsed = parseProfile(PROFILE);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

export const API_ACCESS = {
  name: 'kube-api-access-x7z2p',
  projected: {
    defaultMode: 420,
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
      { configMap: { items: [{ key: 'ca.crt', path: 'ca.crt' }], name: 'kube-root-ca.crt' } },
      {
        downwardAPI: {
          items: [{ fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' }, path: 'namespace' }],
        },
      },
    ],
  },
};
export const API_ACCESS_MOUNT = {
  name: API_ACCESS.name,
  mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
  readOnly: true,
};

/** The pod as an API server stores it: defaults written out, its own volume added, quantities rewritten, order changed. */
export function stored(pod: Pod): Pod {
  const complete = (container: Container): object => ({
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: 'IfNotPresent',
    resources: {},
    ...container,
    env: container.env?.map(({ value, ...rest }) => (value ? { ...rest, value } : rest)),
    volumeMounts: [...(container.volumeMounts ?? []), API_ACCESS_MOUNT],
  });
  const text = JSON.stringify({
    spec: {
      ...pod.spec,
      dnsPolicy: 'ClusterFirst',
      schedulerName: 'default-scheduler',
      nodeName: 'node-1',
      volumes: [...(pod.spec?.volumes ?? []), API_ACCESS],
      initContainers: pod.spec?.initContainers?.map(complete),
      containers: pod.spec?.containers?.map(complete),
    },
    metadata: { ...pod.metadata, uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' },
  });
  return JSON.parse(text);
}
