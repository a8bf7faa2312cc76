/** Pods that mallory creates in a namespace of enclaves, and what the API server or the webhook says to them. */
import { ANNOTATIONS, ENCLAVE_LABEL, INJECT_LABEL, INJECTED_ANNOTATION } from '../../names/labels.ts';
import { SIDECAR_CONTAINER, TOKEN_VOLUME } from '../../names/sidecar.ts';
import { AGENT_AUDIENCE } from '../../names/wire.ts';
import type { LoosePod } from './bypass-mallory.ts';
import type { Bypass } from './bypass-world.ts';

export interface Creation {
  readonly what: string;
  readonly edit: (pod: LoosePod, bypass: Bypass) => void;
  /** Of the answer: what was wrong. */
  readonly says: RegExp;
}

const app = (pod: LoosePod, more: object): void => {
  Object.assign(pod.spec.containers[0] ?? {}, more);
};
export const mountToken = (pod: LoosePod, more: object): void => {
  const own = { name: 'run', mountPath: '/run/enclave' };
  app(pod, { volumeMounts: [own, { name: TOKEN_VOLUME, mountPath: '/t', ...more }] });
};
const bare = (pod: LoosePod): void => {
  pod.metadata.labels = {};
  pod.metadata.annotations = {};
};
export const ourToken = (name: string): object => ({
  name,
  projected: { sources: [{ serviceAccountToken: { audience: AGENT_AUDIENCE, path: 'token' } }] },
});

export const CREATIONS: readonly Creation[] = [
  {
    what: 'reserved names taken beforehand: the sidecar',
    edit: (pod, { appImage }) => {
      pod.spec.initContainers = [{ name: SIDECAR_CONTAINER, image: appImage, restartPolicy: 'Always' }];
    },
    says: /enclave-sidecar.*\. Remove .*\(name-reserved\)/,
  },
  {
    what: 'reserved names taken beforehand: the volume',
    edit: (pod) => {
      pod.spec.volumes.push({ name: TOKEN_VOLUME, emptyDir: {} });
    },
    says: /enclave-licensing-token.*\. Rename .*\(name-reserved\)/,
  },
  {
    what: 'reserved names taken beforehand: a port',
    edit: (pod) => app(pod, { ports: [{ name: 'enclave', containerPort: 8443 }] }),
    says: /port .*8443.*\. Use another .*\(name-reserved\)/,
  },
  {
    what: 'reserved names taken beforehand: a variable',
    edit: (pod) => app(pod, { env: [{ name: 'ENCLAVE_SIDECAR_OWNER_KEY', value: 'x' }] }),
    says: /ENCLAVE_SIDECAR_OWNER_KEY.*\. (Use|Rename) .*\(name-reserved\)/,
  },
  {
    what: 'reserved names in a pod that is no enclave',
    edit: (pod) => {
      bare(pod);
      pod.spec.containers.push({ name: SIDECAR_CONTAINER, image: 'registry.example/any' });
    },
    says: /enclave-sidecar.*belong.*\. Rename/,
  },
  {
    what: 'annotations forged: the victim’s id',
    edit: (pod, { victim }) => {
      pod.metadata.labels = { [ENCLAVE_LABEL]: victim };
    },
    says: /label enclave-licensing\.dev\/enclave is set by the launcher alone.*\. (Deploy|Launch) /,
  },
  {
    what: 'annotations forged: a bare pod that says it was injected',
    edit: (pod) => {
      bare(pod);
      pod.metadata.annotations = { [INJECTED_ANNOTATION]: '1' };
    },
    says: /enclave-licensing\.dev\/injected.*belongs to enclaves\. Remove it/,
  },
  {
    what: 'annotations forged: an owner that is nobody',
    edit: (pod) => {
      pod.metadata.annotations[ANNOTATIONS.ownerKey] = 'me';
    },
    says: /owner-key.*"me".*\. Write .*\(annotation-invalid\)/,
  },
  {
    what: 'both labels',
    edit: (pod) => {
      pod.metadata.labels = { [INJECT_LABEL]: 'enabled', [ENCLAVE_LABEL]: 'eabc' };
    },
    says: /exclude each other.*\. Remove .*\(label-invalid\)/,
  },
  {
    what: 'second sidecar with our name',
    edit: (pod, { appImage }) => {
      pod.spec.containers.push({ name: SIDECAR_CONTAINER, image: appImage });
    },
    says: /enclave-sidecar.*\. Rename .*\(name-reserved\)/,
  },
  {
    what: 'the sidecar’s token by subPath',
    edit: (pod) => mountToken(pod, { subPath: 'token' }),
    says: /enclave-licensing-token.*\. Remove the mount.*\(name-reserved\)/,
  },
  {
    what: 'a token of its audience in a volume of another name',
    edit: (pod) => {
      pod.spec.volumes.push(ourToken('mine'));
    },
    says: /mine.*audience enclave-licensing\.dev\/agent.*\. (Remove|Use) .*\(token-foreign\)/,
  },
  {
    what: 'hostPID',
    edit: (pod) => {
      pod.spec['hostPID'] = true;
    },
    says: /hostPID.*\. Remove spec\.hostPID.*\(host-namespace\)/,
  },
];
