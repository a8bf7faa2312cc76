import { type Result, success } from '../formats/bytes/result.ts';
import { ENABLED, ENCLAVE_LABEL, INJECT_LABEL } from '../names/labels.ts';
import { type InjectionCode, refusePod } from './code.ts';
import type { Pod } from './pod.ts';

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
        `label ${INJECT_LABEL} is ${JSON.stringify(inject)}, allowed is only "${ENABLED}"`,
        `Write "${ENABLED}", or remove the label.`,
      );
    const account = pod.spec?.serviceAccountName;
    const id = `${namespace}.${account === undefined || account === '' ? 'default' : account}`;
    return success({ id, launched: false });
  }
  if (launched === undefined || !/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(launched))
    return refusePod(
      'label-invalid',
      `label ${ENCLAVE_LABEL} is ${JSON.stringify(launched)}, which is no enclave id`,
      'An id is a DNS label that begins with a letter; only the launcher sets it.',
    );
  return success({ id: launched, launched: true });
}
