import { join } from 'node:path';
import { privateKeyPem, readPrivateKey } from '../../platform/identity/credential.ts';
import { type KeyPair, keyPairOf } from '../../platform/identity/key-pair.ts';
import { removeFile, writePrivate } from './private-file.ts';
import { objectWithTexts, readState } from './read-state.ts';

/** A launch that was begun: kept until its key has an enclave, so that an interrupted one can be joined again. */
export interface PendingLaunch {
  /** 16 bytes, lower-case hex. */
  readonly launchId: string;
  readonly profile: string;
  readonly server: string;
  readonly key: KeyPair;
}

type Stored = Omit<PendingLaunch, 'key'> & { readonly key: string };

export class LaunchStore {
  readonly #folder: string;

  constructor(stateFolder: string) {
    this.#folder = join(stateFolder, 'launches');
  }

  save({ launchId, profile, server, key }: PendingLaunch): void {
    const stored = { launchId, profile, server, key: privateKeyPem(key.privateKey) };
    writePrivate(this.#path(launchId), `${JSON.stringify(stored)}\n`);
  }

  /** @throws Failure `state-damaged` */
  load(launchId: string): PendingLaunch | undefined {
    if (!/^[0-9a-f]{32}$/.test(launchId)) return undefined;
    return readState(this.#path(launchId), (text) => {
      const stored = objectWithTexts<Stored>(text, 'launchId', 'profile', 'server', 'key');
      return stored && { ...stored, key: keyPairOf(readPrivateKey(stored.key)) };
    });
  }

  remove(launchId: string): void {
    removeFile(this.#path(launchId));
  }

  #path(launchId: string): string {
    return join(this.#folder, `${launchId}.json`);
  }
}
