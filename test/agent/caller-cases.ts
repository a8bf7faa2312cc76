import type { AgentCode } from '../../agent/code.ts';
import { SIDECAR_ENV } from '../../names/sidecar.ts';
import { ENROLMENT_AUDIENCE } from '../../names/wire.ts';
import { PODS, type Pod } from '../../platform/kube/resources.ts';
import { ENCLAVES } from '../support/agent-world.ts';
import { type Callers, ELSEWHERE, PLAIN } from './callers.ts';
import type { Answer } from './sidecar-calls.ts';

/** Somebody who is not the pod that it says it is, or whose pod may not be quoted. */
export interface CallerCase {
  readonly name: string;
  readonly code: AgentCode;
  /** What the refusal's sentence names. */
  readonly says: RegExp;
  call(callers: Callers): Promise<Answer>;
}

const elsewhere = (pod: Pod): void => {
  if (pod.spec) pod.spec.nodeName = 'elsewhere';
};

const meta =
  (change: object): ((pod: Pod) => void) =>
  (pod) => {
    Object.assign(pod.metadata ?? {}, change);
  };

export const CALLER_CASES: readonly CallerCase[] = [
  {
    name: 'no token',
    code: 'token-missing',
    says: /no bearer token/,
    call: ({ call, victim }) => call(victim.address, undefined),
  },
  {
    name: 'something that is no token',
    code: 'token-refused',
    says: /does not know the token/,
    call: ({ call, victim }) => call(victim.address, 'e30.e30.e30'),
  },
  {
    name: 'a token of the wrong audience',
    code: 'token-refused',
    says: /for the audience/,
    call: async ({ call, victim, world }) =>
      call(victim.address, await world.token(victim.pod, ENROLMENT_AUDIENCE)),
  },
  {
    name: 'an expired token',
    code: 'token-refused',
    says: /does not know the token/,
    call: async ({ call, victim, mint }) => {
      // The same one in its time is good, so it is the time that is refused. (Clocks may differ by a minute.)
      const good = await call(victim.address, await mint({ from: -60, until: 540 }));
      if (good.status !== 200) throw new Error(`a good token is refused: ${good.detail}`);
      return call(victim.address, await mint({ from: -720, until: -120 }));
    },
  },
  {
    name: 'a token of its pod’s name with another pod’s UID',
    code: 'token-refused',
    says: /does not know the token/,
    call: async ({ call, victim, other, mint }) =>
      call(victim.address, await mint({ bound: { pod: { name: 'victim', uid: other.uid } } })),
  },
  {
    name: 'a token that is bound to no pod',
    code: 'caller-token',
    says: /not bound to a pod/,
    call: async ({ call, victim, mint }) => call(victim.address, await mint({ bound: { pod: undefined } })),
  },
  {
    name: 'a person with a token requested for the victim’s pod, elsewhere',
    code: 'caller-address',
    says: /comes from 127\.0\.0\.1, the pod has 127\./,
    call: async ({ call, victim, world }) => call(ELSEWHERE, await world.token(victim.pod)),
  },
  {
    name: 'another pod with the victim’s token',
    code: 'caller-address',
    says: /the pod has 127\./,
    call: ({ call, victim, other }) => call(other.address, victim.token),
  },
  {
    name: 'a token of a pod on another node',
    code: 'caller-node',
    says: /of node "elsewhere"/,
    call: async ({ call, world }) => call(ELSEWHERE, await world.token(await world.create('far', elsewhere))),
  },
  {
    name: 'a pod on another node whose token names this one',
    code: 'caller-node',
    says: /astray is not on node/,
    call: async ({ call, world, mint }) => {
      const { metadata } = await world.create('astray', elsewhere);
      return call(ELSEWHERE, await mint({ bound: { pod: { name: 'astray', uid: metadata?.uid } } }));
    },
  },
  {
    name: 'a deleted pod’s token, never shown before',
    code: 'token-refused',
    says: /does not know the token/,
    call: async ({ call, former, mint }) => {
      const { address, token } = await former('unseen');
      return call(address, await mint({ jti: 'never-seen' }, token));
    },
  },
  {
    name: 'a deleted pod’s token, which the API server has still in mind',
    code: 'caller-pod-missing',
    says: /there is no pod enclaves\/remembered/,
    call: async ({ call, former }) => {
      const { address, token } = await former('remembered');
      return call(address, token);
    },
  },
  {
    name: 'a deleted pod’s token, whose name another pod has by now',
    code: 'caller-pod-missing',
    says: /there is no pod enclaves\/namesake of UID/,
    call: async ({ call, former, world }) => {
      const { address, token } = await former('namesake');
      await world.create('namesake');
      return call(address, token);
    },
  },
  {
    name: 'a pod that has ended, and is not gone',
    code: 'caller-pod-ended',
    says: /has ended/,
    call: async ({ call, enclave, remove, world }) => {
      const { pod, address, token } = await enclave('ended', meta({ finalizers: ['example.org/held'] }));
      await remove(pod, 0);
      const ref = { name: 'ended', namespace: ENCLAVES };
      await world.kube.patch(PODS, ref, { status: { phase: 'Failed' } }, 'merge', 'status');
      return call(address, token);
    },
  },
  {
    name: 'a pod outside a labelled namespace with our label',
    code: 'caller-namespace',
    says: /namespace plain has no label/,
    call: async ({ call, enclave }) => {
      const { address, token } = await enclave('outside', meta({ namespace: PLAIN }));
      return call(address, token);
    },
  },
  {
    name: 'a mirror pod, as a kubelet makes it',
    code: 'caller-mirror-pod',
    says: /mirrors a static pod/,
    call: async ({ call, victim, world, mint }) => {
      const labels = victim.pod.metadata?.labels ?? {};
      const annotations = { 'kubernetes.io/config.mirror': 'x' };
      const { metadata } = await world.kube.create(PODS, {
        metadata: { name: 'mirror', namespace: ENCLAVES, annotations, labels },
        spec: { nodeName: world.node, containers: [{ name: 'app', image: world.appImage }] },
      });
      // It has no service account, so no token of its own: this one nobody but the API server could make.
      return call(ELSEWHERE, await mint({ bound: { pod: { name: 'mirror', uid: metadata?.uid } } }));
    },
  },
  {
    name: 'a pod that the node itself controls',
    code: 'caller-mirror-pod',
    says: /mirrors a static pod/,
    call: async ({ call, enclave, world }) => {
      const node = { apiVersion: 'v1', kind: 'Node', name: world.node, uid: 'node' };
      const { address, token } = await enclave('controlled', meta({ ownerReferences: [node] }));
      return call(address, token);
    },
  },
  {
    name: 'a sidecar with one other environment value',
    code: 'caller-sidecar',
    says: /ownerKeySha256 is not what/,
    call: async ({ call, enclave }) => {
      const { address, token } = await enclave('altered', (pod) => {
        for (const variable of pod.spec?.initContainers?.[0]?.env ?? [])
          if (variable.name === SIDECAR_ENV.ownerKey) variable.value = 'cd'.repeat(32);
      });
      return call(address, token);
    },
  },
  {
    name: 'a sidecar of an image that the operator did not name',
    code: 'caller-sidecar',
    says: /not in the operator's list/,
    call: async ({ call, enclave, world }) => {
      const { address, token } = await enclave('foreign', (pod) => {
        for (const container of pod.spec?.initContainers ?? []) container.image = world.appImage;
      });
      return call(address, token);
    },
  },
];
