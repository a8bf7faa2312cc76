import type { Pod as InjectionPod } from '../../injection/pod.ts';
import { injectedPod } from '../../injection/spec-sha256.ts';
import { INJECTION_LABEL } from '../../names/labels.ts';
import {
  CONFIG_MAPS,
  EVENTS,
  NAMESPACES,
  NETWORK_POLICIES,
  PODS,
  type Pod,
  SERVICE_ACCOUNTS,
} from '../../platform/kube/resources.ts';
import { FINDINGS_CONFIG_MAP } from '../../webhook/keeper/status-reporter.ts';
import { POLICY_NAMES, wantedPolicy } from '../../webhook/keeper/wanted-policies.ts';
import { RELEASE, startTestCluster, type TestCluster } from '../certs/cluster.ts';
import { CONFIG, enclavePod } from '../injection/support.ts';
import { type Replica, startReplica } from './keeper-replica.ts';

const [FIRST = '', SECOND = ''] = POLICY_NAMES;
/** The two policies of a namespace. */
export const NAMES = { first: FIRST, second: SECOND } as const;

/** Two replicas' keepers on an API server, with the rights of the chart and no more. Nothing injects here: what admission would refuse is simply there. */
export async function startKeeperWorld() {
  const cluster: TestCluster = await startTestCluster();
  let minutes = 0;
  const clock = { now: () => Date.now() + minutes * 60_000 };
  const replicas: Replica[] = [];
  for (const name of ['a', 'b']) replicas.push(await startReplica(cluster, name, clock));
  const leaders = (): string[] =>
    replicas.filter(({ metrics }) => metrics.get('keeper_leads{}') === 1).map(({ name }) => name);
  const found = (reason: string): number =>
    replicas.reduce((sum, { metrics }) => sum + (metrics.get(`findings{reason="${reason}"}`) ?? 0), 0);
  const policy = (namespace: string, name: string) =>
    cluster.admin.get(NETWORK_POLICIES, { namespace, name });

  async function namespace(name: string, labels: Record<string, string> = { [INJECTION_LABEL]: 'enabled' }) {
    await cluster.admin.create(NAMESPACES, { metadata: { name, labels } });
    await cluster.admin
      .create(SERVICE_ACCOUNTS, { metadata: { name: 'default', namespace: name } })
      .catch(() => undefined);
  }

  async function create(pod: InjectionPod, name: string, of: string, ip?: string): Promise<void> {
    const { metadata, spec } = pod;
    const object = { metadata: { ...metadata, name, namespace: of }, spec } as object as Pod;
    await cluster.admin.create(PODS, object);
    if (ip !== undefined)
      await cluster.admin.patch(
        PODS,
        { name, namespace: of },
        { status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] } },
        'merge',
        'status',
      );
  }

  const bare = (): InjectionPod => enclavePod({}, { serviceAccountName: 'default' });
  function injected(of: string, port = 8080): InjectionPod {
    const plain = enclavePod(
      { 'enclave-licensing.dev/upstream': `pod:${port}` },
      { serviceAccountName: 'default' },
    );
    const result = injectedPod({ ...plain, metadata: { ...plain.metadata, namespace: of } }, CONFIG);
    if (!result.ok) throw new Error(result.message);
    return result.value;
  }

  const findings = async (): Promise<Record<string, string>> =>
    (await cluster.admin.get(CONFIG_MAPS, { namespace: RELEASE, name: FINDINGS_CONFIG_MAP }))?.data ?? {};
  const eventsOf = async (of: string, name: string) =>
    (await cluster.admin.list(EVENTS, { namespace: of })).items.filter(
      ({ involvedObject }) => involvedObject.name === name,
    );

  async function intact(of: string, name: string): Promise<boolean> {
    const stored = await policy(of, name);
    const wanted = wantedPolicy(of, name);
    return (
      JSON.stringify(stored?.spec?.ingress) === JSON.stringify(wanted?.spec?.ingress) &&
      stored?.metadata?.labels?.['enclave-licensing.dev/managed-by'] === 'enclave-webhook'
    );
  }

  return {
    cluster,
    replicas,
    leaders,
    found,
    policy,
    namespace,
    create,
    bare,
    injected,
    findings,
    eventsOf,
    intact,
    /** The replicas' clocks go on. */
    later: (more: number): void => {
      minutes += more;
    },
    stop: async (): Promise<void> => {
      for (const each of replicas) await each.stop();
      await cluster.close();
    },
  };
}
