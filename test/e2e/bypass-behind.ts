/** Pods with a sidecar that mallory put in by hand, admission switched off, and what the agent says of them. */
import { ANNOTATIONS, ENCLAVE_LABEL } from '../../names/labels.ts';
import { mountToken } from './bypass-created.ts';
import type { LoosePod } from './bypass-mallory.ts';
import { type Bypass, REAL } from './bypass-world.ts';

export interface HandMade {
  readonly what: string;
  readonly edit: (pod: LoosePod, bypass: Bypass) => void;
  readonly says: RegExp;
}

export const HAND_MADE: readonly HandMade[] = [
  {
    what: 'its own image as the sidecar',
    edit: (pod, { appImage }) => {
      for (const container of pod.spec.initContainers ?? []) container.image = appImage;
    },
    says: /is not in the operator's list/,
  },
  {
    what: 'annotations forged: another owner than the sidecar has',
    edit: (pod) => {
      pod.metadata.annotations[ANNOTATIONS.ownerKey] = 'cd'.repeat(32);
    },
    says: /ownerKeySha256 is not what the pod's annotations ask for/,
  },
  {
    what: 'the victim’s id over a sidecar of its own',
    edit: (pod, { victim }) => {
      pod.metadata.labels = { [ENCLAVE_LABEL]: victim };
    },
    says: /it speaks for "enclaves\.mallory"/,
  },
  {
    what: 'the sidecar’s token by subPath',
    edit: (pod) => mountToken(pod, { subPath: 'token' }),
    says: /enclave-licensing-token/,
  },
  {
    what: 'a reserved variable',
    edit: (pod) => {
      for (const container of pod.spec.containers)
        container['env'] = [{ name: 'ENCLAVE_SIDECAR_ROOTS', value: '' }];
    },
    says: /ENCLAVE_SIDECAR_ROOTS.*belongs to the sidecar/,
  },
  {
    what: 'hostPID',
    edit: (pod) => {
      pod.spec['hostPID'] = true;
    },
    says: /hostPID/,
  },
  {
    what: 'no sidecar at all',
    edit: (pod) => {
      delete pod.spec.initContainers;
    },
    says: /sidecar-missing/,
  },
];

/** What mallory does to an enclave that runs. */
export const CHANGES: readonly (readonly [string, (enclave: string, bypass: Bypass) => string[]])[] = [
  [
    'its image changed',
    (enclave, { sidecarImage }) => ['set', 'image', `pod/${enclave}`, `app=${sidecarImage}`],
  ],
  [
    'its annotations changed through pods/status',
    (enclave) => {
      const annotations = { [ANNOTATIONS.ownerKey]: 'cd'.repeat(32) };
      const patch = JSON.stringify({ metadata: { annotations } });
      return ['patch', 'pod', enclave, '--subresource=status', '--type=merge', '-p', patch];
    },
  ],
  ...(REAL
    ? [
        [
          'an ephemeral container came in',
          (enclave: string, { appImage }: Bypass) => [
            'debug',
            enclave,
            `--image=${appImage}`,
            '--profile=general',
          ],
        ] as const,
      ]
    : []),
];
