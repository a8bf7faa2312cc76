import type { Duplex } from 'node:stream';
import { toHex } from '../../../formats/bytes/bytes.ts';
import type { Attested } from './attestation-rounds.ts';

/**
 * Open connections by the certificate that they were made with, each with the time until which there is evidence of it. Evidence of one certificate is none of another: after the
 * enclave has renewed its certificate, the connections of the old one may go on until their evidence is too old, and no longer.
 */
export class BoundConnections {
  readonly #byCertificate = new Map<string, { until: number; readonly open: Set<Duplex> }>();
  #newest: { key: string; until: number } | undefined;

  get size(): number {
    return [...this.#byCertificate.values()].reduce((sum, { open }) => sum + open.size, 0);
  }

  add(connection: Duplex, attested: Attested): void {
    const key = toHex(attested.certificate);
    const bound = this.#byCertificate.get(key) ?? { until: attested.until, open: new Set() };
    this.#byCertificate.set(key, bound);
    bound.open.add(connection);
    connection.once('close', () => {
      bound.open.delete(connection);
      if (bound.open.size === 0) this.#byCertificate.delete(key);
    });
    this.renew(attested);
  }

  /** New evidence: the connections of its certificate may go on. */
  renew({ certificate, until }: Attested): void {
    const key = toHex(certificate);
    const bound = this.#byCertificate.get(key);
    if (until >= (this.#newest?.until ?? 0)) this.#newest = { key, until };
    if (bound !== undefined) bound.until = Math.max(bound.until, until);
  }

  /**
   * Ends every connection whose evidence is too old.
   * @param reason takes whether the newest evidence is of another certificate
   * @returns how many connections were ended for which reason
   */
  cutExpired<E extends Error>(
    now: number,
    reason: (rotated: boolean) => E,
  ): { reason: E; connections: number }[] {
    return [...this.#byCertificate]
      .filter(([, { until }]) => until <= now)
      .map(([key, { open }]) => {
        const why = reason(this.#newest !== undefined && this.#newest.key !== key);
        return { reason: why, connections: cut(open, why) };
      });
  }

  cutAll(reason: Error): number {
    return [...this.#byCertificate.values()].reduce((sum, { open }) => sum + cut(open, reason), 0);
  }
}

function cut(open: ReadonlySet<Duplex>, reason: Error): number {
  const connections = [...open];
  for (const each of connections) each.destroy(reason);
  return connections.length;
}
