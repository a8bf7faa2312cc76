import { join } from 'node:path';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import {
  decodeSignedTrustDocument,
  encodeSignedTrustDocument,
} from '../../formats/evidence/signed-trust-document.ts';
import {
  acceptTrustDocument,
  type SignedTrustDocument,
  type TrustDocument,
} from '../../formats/evidence/trust-document.ts';
import { readIfThere } from '../../platform/files/read-if-there.ts';
import type { TpmSeen } from '../../verify/verdict.ts';
import { writePrivate } from './private-file.ts';

/** What was seen and is held against the next time: the newest trust document of a set of roots, and nodes' TPMs. */
export class TrustStore {
  readonly #folder: string;

  /** @param rootsSha256 the pinned roots: what was learned under others is not mixed in */
  constructor(stateFolder: string, rootsSha256: string) {
    this.#folder = join(stateFolder, 'trust', rootsSha256.slice(0, 32));
  }

  /** The newest document that was accepted, checked again under the pinned roots. */
  document(crypto: Crypto, pinned: Roots): TrustDocument | undefined {
    const bytes = readIfThere(join(this.#folder, 'trust-document.pb'));
    const signed = bytes && decodeSignedTrustDocument(bytes);
    if (!signed?.ok) return undefined;
    const accepted = acceptTrustDocument(crypto, signed.value, { roots: pinned, version: 0 });
    return accepted.ok ? accepted.value : undefined;
  }

  saveDocument(signed: SignedTrustDocument): void {
    writePrivate(join(this.#folder, 'trust-document.pb'), encodeSignedTrustDocument(signed));
  }

  seen(): TpmSeen[] {
    const text = readIfThere(join(this.#folder, 'tpms.json'));
    return text === undefined ? [] : (JSON.parse(text.toString('utf8')) as TpmSeen[]);
  }

  remember(seen: TpmSeen | undefined): void {
    if (seen === undefined) return;
    const others = this.seen().filter(({ node }) => node !== seen.node);
    writePrivate(join(this.#folder, 'tpms.json'), `${JSON.stringify([...others, seen], null, 2)}\n`);
  }
}
