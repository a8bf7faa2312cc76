import { type Result, success } from '../formats/bytes/result.ts';
import { ANNOTATIONS } from '../names/labels.ts';
import { SIDECAR_CONTAINER, SIDECAR_ENV } from '../names/sidecar.ts';
import { readAnnotations } from './annotations.ts';
import { type InjectionCode, refusePod } from './code.ts';
import type { Container, Pod } from './pod.ts';
import type { SidecarSettings } from './settings.ts';

export interface InjectedSidecar extends SidecarSettings {
  readonly container: Container;
  /** As in the pod's spec. */
  readonly image: string;
}

/**
 * What a pod's sidecar was told, from its environment and nothing else. Says nothing of whether the sidecar is ours:
 * `compareSidecar` does.
 */
export function readSidecar(pod: Pod): Result<InjectedSidecar, InjectionCode> {
  const container = pod.spec?.initContainers?.find((each) => each.name === SIDECAR_CONTAINER);
  if (container === undefined)
    return refusePod(
      'sidecar-missing',
      `the pod has no init container ${SIDECAR_CONTAINER}`,
      'Create the pod again where the webhook injects: labelled namespace, labelled pod.',
    );
  const values = new Map((container.env ?? []).map((variable) => [variable.name, variable.value]));
  const annotations: Record<string, string> = {};
  // The same schemas judge a setting, whether it comes as an annotation or comes back as environment.
  for (const key of [
    'upstream',
    'mode',
    'alpn',
    'auth',
    'keyType',
    'certificateLifetime',
    'ownerKey',
  ] as const) {
    const value = values.get(SIDECAR_ENV[key]);
    if (typeof value === 'string') annotations[ANNOTATIONS[key]] = value;
  }
  const wishes = readAnnotations(annotations);
  if (!wishes.ok) return wishes;
  const [enclave, enclaveDomain, roots] = [
    SIDECAR_ENV.enclave,
    SIDECAR_ENV.enclaveDomain,
    SIDECAR_ENV.roots,
  ].map((name) => values.get(name));
  if (!enclave || !enclaveDomain || !roots)
    return refusePod(
      'sidecar-differs',
      `the environment of ${SIDECAR_CONTAINER} lacks its enclave, domain or roots`,
      'Create the pod again, so that the webhook injects its sidecar.',
    );
  return success({
    ...wishes.value.settings,
    enclave,
    enclaveDomain,
    roots,
    container,
    image: container.image ?? '',
  });
}
