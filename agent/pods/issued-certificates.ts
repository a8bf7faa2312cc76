import { parseCertificate } from '../../formats/x509/certificate.ts';

/** More pods than a node runs are a defect elsewhere. */
const MAX_PODS = 4096;

/**
 * The certificate of each pod that lasts longest, as far as it went through this process: it shows the certificate service that the pod was of this node, when
 * it has to be revoked and the pod is gone.
 */
export class IssuedCertificates {
  readonly #byPod = new Map<string, { readonly der: Uint8Array; readonly notAfter: number }>();

  /** @param leaf DER; of this pod, as was checked before */
  note(podUid: string, leaf: Uint8Array | undefined): void {
    const certificate = leaf && parseCertificate(leaf);
    if (leaf === undefined || !certificate?.ok) return;
    const { notAfter } = certificate.value;
    if ((this.#byPod.get(podUid)?.notAfter ?? 0) >= notAfter) return;
    this.#byPod.delete(podUid);
    this.#byPod.set(podUid, { der: leaf, notAfter });
    const [oldest] = this.#byPod.keys();
    if (this.#byPod.size > MAX_PODS && oldest !== undefined) this.#byPod.delete(oldest);
  }

  /** Hands it out, for the last time. */
  take(podUid: string): Uint8Array | undefined {
    const held = this.#byPod.get(podUid);
    this.#byPod.delete(podUid);
    return held?.der;
  }

  /** Forgets all pods but these. */
  keepOnly(podUids: ReadonlySet<string>): void {
    for (const uid of this.#byPod.keys()) if (!podUids.has(uid)) this.#byPod.delete(uid);
  }
}
