import { ENCLAVE_LABEL, INJECT_LABEL } from '../../names/labels.ts';
import { SIDECAR_CONTAINER } from '../../names/sidecar.ts';
import type { Pod } from '../../platform/kube/resources.ts';

/** What the agent keeps of a pod of its node: all of an enclave's; of any other who and where it is, because its author decides how large the rest is. */
export function keptPod(pod: Pod): Pod {
  const { metadata, spec, status } = pod;
  const { labels } = metadata ?? {};
  const enclave =
    labels?.[ENCLAVE_LABEL] !== undefined ||
    labels?.[INJECT_LABEL] !== undefined ||
    // Whatever its labels say now.
    (spec?.initContainers?.some(({ name }) => name === SIDECAR_CONTAINER) ?? false);
  if (enclave) {
    const { managedFields: _, ...rest } = metadata ?? {};
    return { ...pod, metadata: rest };
  }
  const { name, namespace, uid, resourceVersion, deletionTimestamp } = metadata ?? {};
  const kept = { name, namespace, uid, resourceVersion, deletionTimestamp };
  return {
    metadata: Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined)),
    spec: { containers: [], ...(spec?.nodeName !== undefined && { nodeName: spec.nodeName }) },
    ...(status?.phase !== undefined && { status: { phase: status.phase } }),
  };
}
