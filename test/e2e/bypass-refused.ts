/** What mallory asks of a real kube-apiserver about pods that run, and the policy that refuses it, the webhook up or down. */
import { CSR_ANNOTATIONS, ENCLAVE_LABEL, INJECT_LABEL, LABEL_PREFIX } from '../../names/labels.ts';
import { SIDECAR_CONTAINER } from '../../names/sidecar.ts';
import { SIGNERS } from '../../names/signers.ts';
import { AGENT_AUDIENCE } from '../../names/wire.ts';
import { ourToken } from './bypass-created.ts';
import { PLAIN } from './bypass-mallory.ts';
import { certificateRequest, newRequest } from './bypass-request.ts';
import type { Bypass } from './bypass-world.ts';

export interface Refused {
  readonly what: string;
  readonly policy: string;
  /** Of kubectl. */
  readonly args: (bypass: Bypass) => readonly string[];
  /** An object on its standard input. */
  readonly input?: (bypass: Bypass) => object;
  /** What the refusal says to do instead. */
  readonly says: RegExp;
}

const create = (): readonly string[] => ['create', '-f', '-'];
const status =
  (change: object) =>
  (bypass: Bypass): readonly string[] => [
    ...['patch', 'pod', bypass.victim, '--subresource=status', '--type=merge'],
    ...['-p', JSON.stringify(change)],
  ];
const token =
  (account: string) =>
  ({ victim }: Bypass): readonly string[] => [
    ...['create', 'token', account, `--audience=${AGENT_AUDIENCE}`],
    ...(account === 'default' ? ['--bound-object-kind=Pod', `--bound-object-name=${victim}`] : []),
  ];
const inPlain = (bypass: Bypass, labels: Record<string, string>, volumes: object[] = []): object =>
  bypass.pod('attempt', (pod) => {
    pod.metadata = { ...pod.metadata, namespace: PLAIN, labels, annotations: {} };
    pod.spec.volumes.push(...volumes);
  });

export const REFUSED: readonly Refused[] = [
  {
    what: 'label added after creation',
    policy: 'immutable',
    args: () => ['label', 'pod', 'bystander', `${INJECT_LABEL}=enabled`],
    says: /Delete the pod and create it anew/,
  },
  {
    what: 'annotations patched through pods/status',
    policy: 'immutable',
    args: status({ metadata: { annotations: { [`${LABEL_PREFIX}owner-key`]: 'cd'.repeat(32) } } }),
    says: /Delete the pod and create it anew/,
  },
  {
    what: 'the address of the victim patched through pods/status',
    policy: 'addresses',
    args: status({ status: { podIP: '127.0.0.1', podIPs: [{ ip: '127.0.0.1' }] } }),
    says: /Remove podIP/,
  },
  {
    what: 'the victim said to have ended, through pods/status',
    policy: 'addresses',
    args: status({ status: { phase: 'Succeeded' } }),
    says: /Delete the pod to end it/,
  },
  {
    what: 'image changed after start',
    policy: 'images',
    args: ({ victim, sidecarImage }) => ['set', 'image', `pod/${victim}`, `app=${sidecarImage}`],
    says: /create it with the other image/,
  },
  {
    what: 'ephemeral container',
    policy: 'ephemeral-containers',
    args: ({ victim, appImage }) => [
      ...['debug', victim, `--image=${appImage}`, `--target=${SIDECAR_CONTAINER}`, '--profile=general'],
    ],
    says: /Debug the app in a namespace without enclaves/,
  },
  {
    what: 'exec',
    policy: 'connect',
    args: ({ victim }) => ['exec', victim, '-c', SIDECAR_CONTAINER, '--', 'id'],
    says: /Talk to an enclave with enclavectl connect/,
  },
  {
    what: 'attach',
    policy: 'connect',
    args: ({ victim }) => ['attach', victim, '-c', SIDECAR_CONTAINER],
    says: /Talk to an enclave with enclavectl connect/,
  },
  {
    what: 'port-forward',
    policy: 'connect',
    args: ({ victim }) => ['port-forward', `pod/${victim}`, ':8080'],
    says: /Talk to an enclave with enclavectl connect/,
  },
  {
    what: 'proxy',
    policy: 'connect',
    args: ({ victim }) => ['get', '--raw', `/api/v1/namespaces/enclaves/pods/${victim}:8080/proxy/`],
    says: /Talk to an enclave with enclavectl connect/,
  },
  {
    what: 'exec through the kubelet',
    policy: 'kubelets',
    args: ({ world, victim }) => {
      const node = world.environment.cluster.nodes[0]?.name;
      return ['get', '--raw', `/api/v1/nodes/${node}/proxy/exec/enclaves/${victim}/app?command=id`];
    },
    says: /Use kubectl exec/,
  },
  {
    what: 'exec into a pod of the namespace that is no enclave',
    policy: 'connect',
    args: () => ['exec', 'bystander', '--', 'id'],
    says: /debug in another namespace/,
  },
  {
    what: 'a token for the victim’s pod requested by a namespace user',
    policy: 'token-requests',
    args: token('default'),
    says: /Request another audience/,
  },
  {
    what: 'another service account’s token',
    policy: 'token-requests',
    args: token('web'),
    says: /Request another audience/,
  },
  {
    what: 'our labels in an unlabelled namespace',
    policy: 'prefix',
    args: create,
    input: (bypass) => inPlain(bypass, { [INJECT_LABEL]: 'enabled' }),
    says: /have the namespace labelled .* first/,
  },
  {
    what: 'the victim’s id in an unlabelled namespace',
    policy: 'prefix',
    args: create,
    input: (bypass) => inPlain(bypass, { [ENCLAVE_LABEL]: bypass.victim }),
    says: /have the namespace labelled .* first/,
  },
  {
    what: 'pod created in a namespace before it was labelled, with a token for the agent',
    policy: 'audience',
    args: create,
    input: (bypass) => inPlain(bypass, {}, [ourToken('mine')]),
    says: /Use another audience/,
  },
  {
    what: 'a NetworkPolicy that opens the app’s port',
    policy: 'network-policies',
    args: create,
    input: () => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'open' },
      spec: { podSelector: {}, ingress: [{}] },
    }),
    says: /Write .* with DoesNotExist into podSelector/,
  },
  {
    what: 'a user’s certificate requested without the launcher',
    policy: 'requests',
    args: create,
    input: ({ victim }) =>
      certificateRequest(SIGNERS.users, newRequest(), {
        [CSR_ANNOTATIONS.enclave]: victim,
        [CSR_ANNOTATIONS.user]: 'alice',
      }),
    says: /Use enclavectl/,
  },
];
