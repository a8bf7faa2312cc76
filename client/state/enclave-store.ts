import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Bundle, bundleFromJson, bundleToJson } from '../../formats/evidence/bundle.ts';
import { decodePem, encodePem } from '../../formats/x509/pem.ts';
import { readIfThere } from '../../platform/files/read-if-there.ts';
import { privateKeyPem, readPrivateKey } from '../../platform/identity/credential.ts';
import { type KeyPair, keyPairOf } from '../../platform/identity/key-pair.ts';
import { usage } from '../failure.ts';
import { removeFile, writePrivate } from './private-file.ts';
import { objectWithTexts, readState } from './read-state.ts';

/** What is known of an enclave besides its key: who, what was launched, where. No secret. */
export interface EnclaveRecord {
  readonly id: string;
  readonly profile: string;
  readonly server: string;
  readonly endpoint: string;
  readonly serverName: string;
  /** The profile's spec as JSON, as the server said it launched it; for the expected specSha256. */
  readonly profileSpec?: string;
  /** A grant that lets our key in, when we are not the owner. */
  readonly grant?: { readonly grant: string; readonly signature: string };
}

const ID = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/**
 * A folder an enclave: `enclave.json`, `key.pem`, `certificate.pem`, `bundle.json`, `grants.json`. Reading one that is not what was written is a Failure
 * `state-damaged`; a certificate is asked for anew.
 */
export class EnclaveStore {
  readonly #folder: string;

  constructor(stateFolder: string) {
    this.#folder = join(stateFolder, 'enclaves');
  }

  /** The files' folder. @throws Failure for what is no enclave's id: an id is part of a path here */
  folder(id: string): string {
    if (!ID.test(id) || id.includes('..'))
      throw usage(
        'enclave-id-invalid',
        `"${id.slice(0, 64)}" is no enclave's id`,
        'enclavectl ls shows the ids',
      );
    return join(this.#folder, id);
  }

  ids(): string[] {
    return existsSync(this.#folder) ? readdirSync(this.#folder).filter((name) => ID.test(name)) : [];
  }

  record(id: string): EnclaveRecord | undefined {
    return readState(join(this.folder(id), 'enclave.json'), (text) =>
      objectWithTexts<EnclaveRecord>(text, 'id', 'profile', 'server', 'endpoint', 'serverName'),
    );
  }

  saveRecord(record: EnclaveRecord): void {
    writePrivate(join(this.folder(record.id), 'enclave.json'), `${JSON.stringify(record, null, 2)}\n`);
  }

  key(id: string): KeyPair | undefined {
    return readState(join(this.folder(id), 'key.pem'), (pem) => keyPairOf(readPrivateKey(pem)));
  }

  saveKey(id: string, key: KeyPair): void {
    writePrivate(join(this.folder(id), 'key.pem'), privateKeyPem(key.privateKey));
  }

  /** DER, leaf first. */
  certificate(id: string): Uint8Array[] | undefined {
    const pem = readIfThere(join(this.folder(id), 'certificate.pem'));
    const chain = pem && decodePem('CERTIFICATE', pem.toString('utf8'));
    return chain?.ok ? chain.value : undefined;
  }

  saveCertificate(id: string, chain: readonly Uint8Array[]): void {
    const pem = chain.map((der) => encodePem('CERTIFICATE', der)).join('');
    writePrivate(join(this.folder(id), 'certificate.pem'), pem);
  }

  removeCertificate(id: string): void {
    removeFile(join(this.folder(id), 'certificate.pem'));
  }

  bundle(id: string): Bundle | undefined {
    return readState(
      join(this.folder(id), 'bundle.json'),
      (text) => {
        const bundle = bundleFromJson(text);
        return bundle.ok ? bundle.value : undefined;
      },
      `enclavectl status ${id} --verify writes it anew`,
    );
  }

  saveBundle(id: string, bundle: Bundle): void {
    writePrivate(join(this.folder(id), 'bundle.json'), bundleToJson(bundle));
  }

  remove(id: string): void {
    rmSync(this.folder(id), { recursive: true, force: true });
  }
}
