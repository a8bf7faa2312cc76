import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { removeFile, writePrivate } from './private-file.ts';
import { objectWithTexts, readState } from './read-state.ts';

export interface StoredSession {
  readonly server: string;
  /** The roots under which this session was opened: its token goes to no server that others vouch for. */
  readonly rootsSha256: string;
  readonly user: string;
  readonly token: string;
  /** Unix seconds. */
  readonly expiresAt: number;
}

/** One session at a time. */
export class SessionStore {
  readonly #path: string;

  constructor(stateFolder: string) {
    this.#path = join(stateFolder, 'session.json');
  }

  /** @throws Failure `state-damaged` */
  load(): StoredSession | undefined {
    return readState(
      this.#path,
      (text) => {
        const session = objectWithTexts<StoredSession>(text, 'server', 'rootsSha256', 'user', 'token');
        return Number.isSafeInteger(session?.expiresAt) ? session : undefined;
      },
      'enclavectl logout, and log in again',
    );
  }

  save(session: StoredSession): void {
    writePrivate(this.#path, `${JSON.stringify(session, null, 2)}\n`);
  }

  /** False when there was none. */
  clear(): boolean {
    const was = existsSync(this.#path);
    removeFile(this.#path);
    return was;
  }
}
