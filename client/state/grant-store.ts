import { join } from 'node:path';
import { writePrivate } from './private-file.ts';
import { readState } from './read-state.ts';
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
    const grants = readState(this.#path, (text) => {
      const parsed: unknown = JSON.parse(text);
      return Array.isArray(parsed) && parsed.every(isGrant) ? parsed : undefined;
    });
    return grants ?? [];
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
