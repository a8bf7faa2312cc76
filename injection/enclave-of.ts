import { type Result, success } from '../formats/bytes/result.ts';
import { ENABLED, ENCLAVE_LABEL, INJECT_LABEL } from '../names/labels.ts';
import { type InjectionCode, type Refused, refusePod } from './code.ts';
import type { Pod } from './pod.ts';
import { shown } from './shown.ts';

export interface EnclaveIdentity {
  /** A launched id has no dot; a self-deployed one is `<namespace>.<service account>`. */
  readonly id: string;
  readonly launched: boolean;
}

/** Which enclave a pod is; undefined when it is none. */
export function enclaveOf(pod: Pod, namespace: string): Result<EnclaveIdentity | undefined, InjectionCode> {
  const labels = pod.metadata?.labels;
  const launched = labels?.[ENCLAVE_LABEL];
  const inject = labels?.[INJECT_LABEL];
  if (launched === undefined && inject === undefined) return success(undefined);
  if (launched !== undefined && inject !== undefined)
    return refusePod(
      'label-invalid',
      `labels ${ENCLAVE_LABEL} and ${INJECT_LABEL} exclude each other: an enclave is launched or self-deployed`,
      `Remove ${ENCLAVE_LABEL}; only the launcher sets it.`,
    );
  if (inject !== undefined) {
    if (inject !== ENABLED)
      return refusePod(
        'label-invalid',
        `label ${INJECT_LABEL} is ${shown(inject)}, allowed is only "${ENABLED}"`,
        `Write "${ENABLED}", or remove the label.`,
      );
    const account = pod.spec?.serviceAccountName;
    return success({ id: `${namespace}.${account ? account : 'default'}`, launched: false });
  }
  if (launched === undefined || !/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(launched))
    return refusePod(
      'label-invalid',
      `label ${ENCLAVE_LABEL} is ${shown(launched)}, which is no enclave id`,
      'An id is a DNS label that begins with a letter; only the launcher sets it.',
    );
  return success({ id: launched, launched: true });
}

/** Bounds of a host name and of each of its labels (RFC 1035, 2.3.4). */
const MAX_NAME = 253;
const MAX_LABEL = 63;

/** A service account's name may be longer than a label of a host name, and certificates hold host names. */
export function breachOfHostName(id: string, enclaveDomain: string): Refused | undefined {
  const fits =
    id.length + 1 + enclaveDomain.length <= MAX_NAME &&
    id.split('.').every((label) => label.length <= MAX_LABEL);
  return fits
    ? undefined
    : refusePod(
        'pod-too-large',
        `the enclave's id ${shown(id)} is too long for a host name, which its certificate must hold`,
        `Give the pod a service account of at most ${MAX_LABEL} characters.`,
      );
}
