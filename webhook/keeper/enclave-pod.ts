import { type Refusal, type Result, refuse } from '../../formats/bytes/result.ts';
import type { InjectionCode } from '../../injection/code.ts';
import { compareSidecar } from '../../injection/compare-sidecar.ts';
import { type InjectedSidecar, readSidecar } from '../../injection/read-sidecar.ts';
import { parseUpstream } from '../../injection/upstream.ts';
import { ENCLAVE_LABEL, INJECT_LABEL } from '../../names/labels.ts';
import { hasEnded } from '../../platform/kube/pod-phase.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import type { KubeObject } from '../../platform/kube/wire.ts';
import { explain } from '../../platform/run/explain.ts';

/** What is kept of a pod with one of our labels: some hundred bytes, however large the pod. */
export interface EnclavePod extends KubeObject {
  /** Has more labels than are kept: any selector may take it. */
  readonly isOverLabelled: boolean;
  readonly launched: boolean;
  /** Succeeded or Failed: nothing of it runs. */
  readonly ended: boolean;
  readonly ip: string | undefined;
  /** Where a TCP upstream listens; undefined for a `unix:` one, and for a pod whose sidecar cannot be believed. */
  readonly upstreamPort: number | undefined;
  /** The roots that its sidecar was given, as text; the texts are few and shared. */
  readonly roots: string | undefined;
  /** Why its sidecar is not one that this release or its predecessor injects. */
  readonly breach: Refusal<InjectionCode> | undefined;
}

export interface SidecarRelease {
  /** Images that a running sidecar may have: this release's and former ones, each by digest. */
  readonly sidecarImages: readonly string[];
  readonly enclaveDomain: string;
}

/** Characters of a pod's labels that are kept; an API server bounds neither their number nor their sum. */
const MAX_LABELS = 4096;
/** Sets of roots are as few as rotations; so many texts are kept once, however many pods have them. */
const SHARED_TEXTS = 32;

/**
 * Judges pods as they come from the watch and keeps what the judgement needs later. A pod's sidecar is immutable, so it is compared once; whether its roots are known
 * changes with the roots, and is asked later.
 */
export function enclavePodReader(release: SidecarRelease): (pod: Pod) => EnclavePod {
  const texts = new Map<string, string>();
  const shared = (text: string): string => {
    const held = texts.get(text);
    if (held !== undefined) return held;
    const [oldest] = texts.keys();
    if (texts.size >= SHARED_TEXTS && oldest !== undefined) texts.delete(oldest);
    texts.set(text, text);
    return text;
  };
  return (pod) => {
    const { name, namespace, uid, resourceVersion, labels = {} } = pod.metadata ?? {};
    const isOverLabelled = lengthOf(labels) > MAX_LABELS;
    const compared = compare(pod, release);
    const upstream = compared.ok ? parseUpstream(compared.value.upstream) : undefined;
    return {
      metadata: {
        ...(name !== undefined && { name }),
        ...(namespace !== undefined && { namespace }),
        ...(uid !== undefined && { uid }),
        ...(resourceVersion !== undefined && { resourceVersion }),
        labels: isOverLabelled ? ours(labels) : labels,
      },
      isOverLabelled,
      launched: labels[ENCLAVE_LABEL] !== undefined,
      ended: hasEnded(pod),
      ip: pod.status?.podIP,
      upstreamPort: upstream?.kind === 'tcp' ? upstream.port : undefined,
      roots: compared.ok ? shared(compared.value.roots) : undefined,
      breach: compared.ok ? undefined : compared,
    };
  };
}

function lengthOf(labels: Readonly<Record<string, string>>): number {
  return Object.entries(labels).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
}

function ours(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    [ENCLAVE_LABEL, INJECT_LABEL].flatMap((name) =>
      labels[name] === undefined ? [] : [[name, labels[name]]],
    ),
  );
}

function compare(pod: Pod, release: SidecarRelease): Result<InjectedSidecar, InjectionCode> {
  try {
    const read = readSidecar(pod);
    // That there is none comes before everything else that is wrong.
    return !read.ok && read.code === 'sidecar-missing'
      ? read
      : compareSidecar(pod, { ...release, acceptsRoots: () => true });
  } catch (error) {
    // One odd pod must not end the watch of all others.
    return refuse('sidecar-differs', `the pod cannot be read: ${explain(error)}`, 'Delete it.');
  }
}
