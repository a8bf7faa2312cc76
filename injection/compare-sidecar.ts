import { type Result, success } from '../formats/bytes/result.ts';
import { SIDECAR_CONTAINER, TOKEN_VOLUME } from '../names/sidecar.ts';
import { readAnnotations } from './annotations.ts';
import { type InjectionCode, refusePod } from './code.ts';
import { differences, hasVolume } from './differences.ts';
import { enclaveOf } from './enclave-of.ts';
import { isPinned } from './pinned-image.ts';
import type { Pod, PodSpec } from './pod.ts';
import { breachOfPodRules } from './pod-rules.ts';
import { type InjectedSidecar, readSidecar } from './read-sidecar.ts';
import { shown } from './shown.ts';
import { findSocketMount } from './socket-mount.ts';
import { type SidecarWish, TEMPLATES, type Template } from './template.ts';

export interface ComparisonConfig {
  /** Images that a sidecar may run, each `name@sha256:...`: this release's and its predecessor's. Empty refuses. */
  readonly sidecarImages: readonly string[];
  readonly enclaveDomain: string;
  /** Whether the text in the sidecar's environment is a set of roots that a trust document has named. */
  readonly acceptsRoots: (roots: string) => boolean;
}

/** A sidecar is immutable: nothing makes one right but a new pod. */
const AGAIN = 'Delete the pod and create it again, so that the webhook injects its sidecar.';

function differencesFrom(
  template: Template,
  wish: SidecarWish,
  { container }: InjectedSidecar,
  spec: PodSpec,
): string[] {
  const found = differences(container, template.container(wish), spec);
  return hasVolume(spec, template.volume) === true ? found : [...found, `volume ${TOKEN_VOLUME}`];
}

/**
 * Whether a stored pod carries exactly the sidecar that this release or its predecessor injects (TEMPLATES): first init container,
 * image from the operator's list, environment (what the annotations ask for, and nothing else), mounts, probes, security context, resources in bounds, token volume; and
 * keeps the rules of enclave pods. Returns what the sidecar was told.
 */
export function compareSidecar(pod: Pod, config: ComparisonConfig): Result<InjectedSidecar, InjectionCode> {
  const spec = pod.spec ?? {};
  const enclave = enclaveOf(pod, pod.metadata?.namespace ?? '');
  if (!enclave.ok) return enclave;
  if (enclave.value === undefined)
    return refusePod(
      'sidecar-missing',
      'the pod has no label of an enclave',
      'Label it before it is created.',
    );
  const breach = breachOfPodRules(spec);
  if (breach !== undefined) return breach;
  const read = readSidecar(pod);
  if (!read.ok) return read;
  const sidecar = read.value;
  const differs = (what: string) =>
    refusePod('sidecar-differs', `the pod's ${SIDECAR_CONTAINER} is not what is injected: ${what}`, AGAIN);
  if (spec.initContainers?.[0] !== sidecar.container) return differs('it is not the first init container');
  if (!isPinned(sidecar.image) || !config.sidecarImages.includes(sidecar.image))
    return differs(`image ${shown(sidecar.image)} is not in the operator's list`);
  if (sidecar.enclave !== enclave.value.id) return differs(`it speaks for ${shown(sidecar.enclave)}`);
  if (sidecar.enclaveDomain !== config.enclaveDomain) return differs('its enclave domain is another');
  if (!config.acceptsRoots(sidecar.roots))
    return refusePod(
      'roots-unknown',
      'no trust document has named the roots in the sidecar’s environment',
      AGAIN,
    );
  const asked = readAnnotations(pod.metadata?.annotations ?? {});
  if (!asked.ok) return asked;
  const { settings } = asked.value;
  const changed = (Object.keys(settings) as (keyof typeof settings)[]).find(
    (key) => settings[key] !== sidecar[key],
  );
  if (changed !== undefined) return differs(`its ${changed} is not what the pod's annotations ask for`);
  const socket = findSocketMount(spec, sidecar.upstream);
  if (!socket.ok) return socket;
  // Resources are judged by their bounds, so those of the container stand in for the annotations'.
  const wish = {
    image: sidecar.image,
    settings: sidecar,
    resources: { cpu: '', memory: '' },
    socket: socket.value,
  };
  const [ours, ...theirs] = TEMPLATES.map((template) => differencesFrom(template, wish, sidecar, spec));
  const isOne = [ours, ...theirs].some((found) => found?.length === 0);
  return isOne ? success(sidecar) : differs(ours?.join(', ').slice(0, 200) ?? '');
}
