import { CSR_ANNOTATIONS } from '../../../names/labels.ts';
import { SIGNERS } from '../../../names/signers.ts';
import type { Kube } from '../../../platform/kube/kube.ts';
import { isKubeError } from '../../../platform/kube/kube-error.ts';
import {
  CERTIFICATE_SIGNING_REQUESTS,
  type CertificateSigningRequest,
  PODS,
} from '../../../platform/kube/resources.ts';
import { createBackoff } from '../../../platform/run/backoff.ts';
import type { LauncherWorld } from '../launcher-world.ts';
import { listPods } from './list-pods.ts';

/**
 * Deletes the enclave's pods, waits until they are gone, then deletes their certificate requests and its users'. Nothing there is success. Safe to repeat after any
 * failure.
 * @throws when the API server cannot be asked, or the signal aborts first
 */
export async function removeEnclave(
  { kube, view, namespaces }: Pick<LauncherWorld, 'kube' | 'view' | 'namespaces'>,
  enclave: string,
  signal: AbortSignal,
): Promise<void> {
  const backoff = createBackoff(50, 1000);
  const uids = new Set<string>();
  for (;;) {
    signal.throwIfAborted();
    const pods = await listPods(kube, namespaces, enclave);
    for (const { metadata } of pods) {
      if (metadata?.uid === undefined || metadata.name === undefined) continue;
      uids.add(metadata.uid);
      if (metadata.deletionTimestamp === undefined)
        await deletePod(kube, metadata.namespace, metadata.name, metadata.uid);
    }
    if (pods.length === 0) break;
    await backoff.wait(signal);
  }
  // From the copy: a list of all requests, each with its evidence, costs more than the rest of a removal. One that it lacks yet is cleaned up by the certificate service.
  for (const { metadata } of view.requests().filter((each) => belongsTo(each, enclave, uids)))
    if (metadata?.name !== undefined)
      await kube.delete(CERTIFICATE_SIGNING_REQUESTS, { name: metadata.name });
}

async function deletePod(
  kube: Kube,
  namespace: string | undefined,
  name: string,
  uid: string,
): Promise<void> {
  try {
    await kube.delete(PODS, { name, ...(namespace && { namespace }) }, { uid });
  } catch (error) {
    // Another pod of this name by now: the next list shows it.
    if (!isKubeError(error, 'Conflict')) throw error;
  }
}

/** Pure: is this request the enclave's, or one of its pods'? */
export function belongsTo(
  { metadata, spec }: CertificateSigningRequest,
  enclave: string,
  podUids: ReadonlySet<string>,
): boolean {
  if (spec.signerName === SIGNERS.users) return metadata?.annotations?.[CSR_ANNOTATIONS.enclave] === enclave;
  if (spec.signerName !== SIGNERS.enclaves) return false;
  return [...podUids].some((uid) => metadata?.name?.startsWith(`enclave-${uid}-`));
}
