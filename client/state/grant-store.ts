import { join } from 'node:path';
import { readIfThere } from '../../platform/files/read-if-there.ts';
import { usage } from '../failure.ts';
import { writePrivate } from './private-file.ts';
import { withLock } from './with-lock.ts';

/** What was granted here to a key, or taken back from it. Times are unix seconds. */
export interface GivenGrant {
  /** Lower-case hex. */
  readonly keySha256: string;
  readonly user: string;
  readonly notAfter: number;
  readonly revokedAt?: number;
}

/** Grants of one enclave, in its folder: `grants.json`. What is asked of it: until when a key could have been let in. */
export class GrantStore {
  readonly #folder: string;
  readonly #path: string;

  /** @param folder the enclave's */
  constructor(folder: string) {
    this.#folder = folder;
    this.#path = join(folder, 'grants.json');
  }

  /** @throws Failure `state-damaged` */
  list(): GivenGrant[] {
    const text = readIfThere(this.#path)?.toString('utf8');
    if (text === undefined) return [];
    const grants = parsed(text);
    if (Array.isArray(grants) && grants.every(isGrant)) return grants;
    throw usage('state-damaged', `${this.#path} is damaged`, 'restore it, or move it away');
  }

  /** Keeps a grant; those that ended are forgotten. */
  async add(grant: GivenGrant, now: number): Promise<void> {
    await this.#change((grants) => [...grants.filter(({ notAfter }) => notAfter > now), grant]);
  }

  /** What this key was granted was taken back, until the end of `grant`. */
  async revoked(grant: GivenGrant, at: number): Promise<void> {
    const { keySha256 } = grant;
    await this.#change((grants) => [
      ...grants.filter((each) => each.keySha256 !== keySha256),
      { ...grant, revokedAt: at },
    ]);
  }

  async #change(edit: (grants: GivenGrant[]) => GivenGrant[]): Promise<void> {
    await withLock(this.#folder, () =>
      writePrivate(this.#path, `${JSON.stringify(edit(this.list()), null, 2)}\n`),
    );
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isGrant(value: unknown): value is GivenGrant {
  const grant = value as Partial<GivenGrant> | null;
  return (
    typeof grant === 'object' &&
    typeof grant?.keySha256 === 'string' &&
    typeof grant.user === 'string' &&
    Number.isSafeInteger(grant.notAfter) &&
    (grant.revokedAt === undefined || Number.isSafeInteger(grant.revokedAt))
  );
}
