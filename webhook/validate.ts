import { type Result, refuse, success } from '../formats/bytes/result.ts';
import type { InjectionCode } from '../injection/code.ts';
import type { InjectionConfig } from '../injection/config.ts';
import { decide } from '../injection/decide.ts';
import type { PodMetadata } from '../injection/pod.ts';
import { breachOfBarePod } from '../injection/pod-rules.ts';
import { componentUser } from '../names/components.ts';
import { ENCLAVE_LABEL, INJECT_LABEL, LABEL_PREFIX } from '../names/labels.ts';
import type { AdmissionRequest } from './admission-review.ts';

export type ValidationCode = InjectionCode | 'label-foreign';

/** Reserved labels and annotations on a pod, none of which a pod that is no enclave may have. */
function reserved(metadata: PodMetadata | null | undefined, enclave: boolean): string | undefined {
  for (const name in metadata?.labels)
    if (name.startsWith(LABEL_PREFIX) && name !== ENCLAVE_LABEL && name !== INJECT_LABEL)
      return `label ${name}`;
  if (!enclave)
    for (const name in metadata?.annotations) if (name.startsWith(LABEL_PREFIX)) return `annotation ${name}`;
  return undefined;
}

/**
 * What the validating webhook says of a pod at its creation: it is exactly what `decide` makes of it (the whole sidecar, its
 * token volume, pinned images, no host namespaces, no reserved name), only the launcher made a launched one, and nobody
 * else uses our prefix.
 */
export function validate(
  request: AdmissionRequest,
  config: InjectionConfig,
  releaseNamespace: string,
): Result<undefined, ValidationCode> {
  const { pod, namespace } = request;
  const labels = pod.metadata?.labels;
  const launched = labels?.[ENCLAVE_LABEL] !== undefined;
  const enclave = launched || labels?.[INJECT_LABEL] !== undefined;
  const name = reserved(pod.metadata, enclave);
  if (name !== undefined)
    return refuse(
      'prefix-reserved',
      `${name} is reserved: the prefix ${LABEL_PREFIX} belongs to enclaves`,
      `Remove it, or make the pod an enclave with the label ${INJECT_LABEL}: enabled.`,
    );
  const launcher = componentUser('launcher', releaseNamespace);
  if (launched && request.username !== launcher)
    return refuse(
      'label-foreign',
      `label ${ENCLAVE_LABEL} is set by the launcher alone, not by ${JSON.stringify(request.username)}`,
      `Deploy your own enclave with the label ${INJECT_LABEL}: enabled.`,
    );
  const breach = enclave ? undefined : breachOfBarePod(pod.spec ?? {});
  if (breach !== undefined) return breach;
  const decision = decide(pod, namespace, config);
  if (!decision.ok) return decision;
  if (decision.patch.length > 0)
    return refuse(
      'sidecar-missing',
      'the pod lacks what the mutating webhook injects',
      'Another webhook may have removed it, or the roots have just changed: create the pod again.',
    );
  return success(undefined);
}
