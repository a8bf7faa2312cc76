import { ENCLAVE_LABEL } from '../../../names/labels.ts';
import type { Kube } from '../../../platform/kube/kube.ts';
import { PODS, type Pod } from '../../../platform/kube/resources.ts';
import type { LaunchedPod } from '../../../proto/gen/enclave_licensing/launcher/v1/launcher.ts';

/** Pods of one enclave in the launcher's namespaces, as the API server has them now. */
export async function listPods(kube: Kube, namespaces: readonly string[], enclave: string): Promise<Pod[]> {
  const labelSelector = `${ENCLAVE_LABEL}=${enclave}`;
  const lists = await Promise.all(
    namespaces.map((namespace) => kube.list(PODS, { namespace, labelSelector })),
  );
  return lists.flatMap((list) => [...list.items]);
}

/** All pods with our label in the launcher's namespaces, as the API server has them now; of each what front is told. */
export async function listLaunched(kube: Kube, namespaces: readonly string[]): Promise<LaunchedPod[]> {
  const options = { labelSelector: ENCLAVE_LABEL, project: launchedPodMessage };
  const lists = await Promise.all(namespaces.map((namespace) => kube.list(PODS, { ...options, namespace })));
  return lists.flatMap((list) => [...list.items]);
}

function launchedPodMessage(pod: Pod): LaunchedPod {
  const { metadata, status } = pod;
  return {
    enclave: metadata?.labels?.[ENCLAVE_LABEL] ?? '',
    namespace: metadata?.namespace ?? '',
    pod: metadata?.name ?? '',
    ready: (status?.conditions ?? []).some((each) => each.type === 'Ready' && each.status === 'True'),
    podPhase: status?.phase ?? 'Unknown',
    reason: [status?.reason, status?.message]
      .filter((each) => each !== undefined && each !== '')
      .join(': ')
      .slice(0, 1000),
  };
}
