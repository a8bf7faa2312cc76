import { join } from 'node:path';
import { readIfThere } from '../../platform/files/read-if-there.ts';
import { removeFile, writePrivate } from './private-file.ts';

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

  load(): StoredSession | undefined {
    const text = readIfThere(this.#path);
    return text === undefined ? undefined : (JSON.parse(text.toString('utf8')) as StoredSession);
  }

  save(session: StoredSession): void {
    writePrivate(this.#path, `${JSON.stringify(session, null, 2)}\n`);
  }

  /** False when there was none. */
  clear(): boolean {
    const was = readIfThere(this.#path) !== undefined;
    removeFile(this.#path);
    return was;
  }
}
