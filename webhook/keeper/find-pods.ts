import type { InjectionCode } from '../../injection/code.ts';
import { INJECTION_LABEL } from '../../names/labels.ts';
import type { EnclavePod } from './enclave-pod.ts';
import type { Finding, FindingReason } from './finding.ts';

export interface PodSituation {
  readonly pods: readonly EnclavePod[];
  /** Namespaces where the webhook injects. */
  readonly labelled: ReadonlySet<string>;
  /** Port of each app that answered past its sidecar, by the pod's UID. */
  readonly reachable: ReadonlyMap<string, number>;
  /** Whether a text of roots is ours. */
  acceptsRoots(roots: string): boolean;
}

const AGAIN = 'Delete it; what made it makes it again, with a sidecar.';

const REASONS: Partial<Record<InjectionCode, FindingReason>> = {
  'sidecar-missing': 'sidecar-missing',
  'sidecar-differs': 'sidecar-differs',
  'roots-unknown': 'roots-unknown',
};

/** What is wrong with pods that have our labels and have not ended; at most one finding for the sidecar and one for its surroundings a pod. Pure. */
export function findPods({ pods, labelled, reachable, acceptsRoots }: PodSituation): Finding[] {
  const findings: Finding[] = [];
  for (const pod of pods) {
    if (pod.ended) continue;
    const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
    const add = (reason: FindingReason, message: string): void => {
      const about = { apiVersion: 'v1', kind: 'Pod', namespace, name, uid } as const;
      findings.push({ reason, about, message });
    };
    const here = labelled.has(namespace);
    const where = here
      ? ''
      : ` Nothing is injected in namespace ${namespace}: it has no label ${INJECTION_LABEL}=enabled, or is one of those that never hold enclaves.`;
    if (pod.breach !== undefined) {
      const { code, message } = pod.breach;
      add(REASONS[code] ?? 'rule-broken', `No enclave, though labelled as one: ${message}.${where} ${AGAIN}`);
    } else if (pod.roots === undefined || !acceptsRoots(pod.roots))
      add('roots-unknown', `The sidecar trusts roots that are not those of this cluster.${where} ${AGAIN}`);
    else if (!here)
      add(
        'namespace-unlabelled',
        `The enclave runs where exec, attach and port-forward are not refused.${where} Label the namespace again, or delete the pod.`,
      );
    const port = reachable.get(uid);
    if (port !== undefined)
      add(
        'upstream-reachable',
        `The app answers at ${pod.ip ?? ''}:${port} past its sidecar. Let it listen on 127.0.0.1 or a unix: socket, or use a network plugin that enforces NetworkPolicy.`,
      );
  }
  return findings;
}
