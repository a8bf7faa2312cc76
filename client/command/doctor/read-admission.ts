import {
  ANNOTATIONS,
  ENABLED,
  INJECT_LABEL,
  INJECTED_ANNOTATION,
  INJECTION_LABEL,
} from '../../../names/labels.ts';
import type { Kube } from '../../../platform/kube/kube.ts';
import { KubeError } from '../../../platform/kube/kube-error.ts';
import { type Namespace, PODS, type Pod } from '../../../platform/kube/resources.ts';
import { attempt, type Read } from './read.ts';
import type { Admission, PodAnswer } from './snapshot.ts';

/** Nothing runs it: it is never stored. */
const IMAGE = `registry.invalid/doctor@sha256:${'0'.repeat(64)}`;
/** The webhook has ten seconds. */
const LIMIT_MS = 12_000;
/** Each may take as long. */
const MOST_TRIED = 8;

/**
 * Asks the API server for pods in a namespace where enclaves may run, with `dryRun`: all of admission is asked, and nothing is created. So what is seen is what
 * happens, not what is configured. It is the first in which doctor may ask: others may be labelled that its role does not reach.
 */
export async function readAdmission(
  kube: Kube,
  namespaces: Read<readonly Namespace[]>,
  releaseNamespace: string,
): Promise<Admission | undefined> {
  const candidates = labelledNamespaces(namespaces.ok ? namespaces.value : [])
    .filter((name) => name !== releaseNamespace && name !== 'kube-system')
    .sort();
  let first: Admission | undefined;
  for (const namespace of candidates.slice(0, MOST_TRIED)) {
    const admission = await tryIn(kube, namespace);
    if (admission.enclave.ok || admission.forged.ok) return admission;
    first ??= admission;
  }
  return first;
}

async function tryIn(kube: Kube, namespace: string): Promise<Admission> {
  const create = (pod: Pod): Promise<Read<PodAnswer>> => attempt(() => answer(kube, pod), LIMIT_MS);
  const [enclave, forged] = await Promise.all([
    create(
      probe(namespace, 'enclave-licensing-doctor-enclave', {
        labels: { [INJECT_LABEL]: ENABLED },
        annotations: { [ANNOTATIONS.upstream]: '8080', [ANNOTATIONS.ownerKey]: '0f'.repeat(32) },
      }),
    ),
    create(
      probe(namespace, 'enclave-licensing-doctor-forged', {
        annotations: { [INJECTED_ANNOTATION]: 'forged' },
      }),
    ),
  ]);
  return { namespace, enclave, forged };
}

/** Names of namespaces in which enclaves may run, and that are not going away. */
export function labelledNamespaces(namespaces: readonly Namespace[]): string[] {
  return namespaces
    .filter(({ metadata }) => metadata?.labels?.[INJECTION_LABEL] === ENABLED && !metadata.deletionTimestamp)
    .map(({ metadata }) => metadata?.name ?? '');
}

/** What an API server refuses for admission's sake is an answer; that we may not ask is none. */
async function answer(kube: Kube, pod: Pod): Promise<PodAnswer> {
  try {
    return { admitted: true, pod: await kube.create(PODS, pod, { dryRun: true }) };
  } catch (error) {
    if (!(error instanceof KubeError) || / cannot create resource "pods"/.test(error.message)) throw error;
    return { admitted: false, message: error.message };
  }
}

function probe(namespace: string, name: string, metadata: NonNullable<Pod['metadata']>): Pod {
  const securityContext = {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    readOnlyRootFilesystem: true,
    runAsNonRoot: true,
    runAsUser: 65_532,
    seccompProfile: { type: 'RuntimeDefault' },
  };
  const resources = { requests: { cpu: '1m', memory: '1Mi' }, limits: { cpu: '1m', memory: '1Mi' } };
  return {
    metadata: { ...metadata, name, namespace },
    spec: {
      automountServiceAccountToken: false,
      containers: [{ name: 'app', image: IMAGE, securityContext, resources }],
    },
  };
}
