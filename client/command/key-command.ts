import { generateKey } from '../../platform/identity/key-pair.ts';
import { usage } from '../failure.ts';
import { keySha256 } from '../library/front/owner-key.ts';
import { ownKey } from './own-credential.ts';
import { enclaves, type Workspace } from './workspace.ts';

export interface KeyFlags {
  readonly new?: boolean;
  readonly replace?: boolean;
}

/**
 * `enclavectl key ID`: shows the hash of your key for an enclave, for its owner to grant. `--new` makes one; with `--replace` in the place of one that is not the
 * owner's, certificate and grant of which go with it.
 */
export async function key(workspace: Workspace, enclave: string, flags: KeyFlags): Promise<void> {
  const store = enclaves(workspace);
  const held = store.key(enclave);
  const record = store.record(enclave);
  if (flags.replace === true && flags.new !== true)
    throw usage('wrong-use', '--replace goes with --new', 'enclavectl key ID --new --replace');
  if (flags.new === true) {
    if (held !== undefined && flags.replace !== true)
      throw usage(
        'key-exists',
        `a key for ${enclave} is held here already`,
        'leave --new out to see its hash; --new --replace makes another',
      );
    // Launched here, or certified without a grant: there is no way back to an owner key that is gone.
    const owner = record?.profile !== '' || store.certificate(enclave) !== undefined;
    if (held !== undefined && record?.grant === undefined && owner)
      throw usage(
        'key-is-owner',
        `the key for ${enclave} is its owner's`,
        'an enclave has one owner key for as long as it lives: launch another enclave',
      );
    store.saveKey(enclave, generateKey());
    store.removeCertificate(enclave);
    const { grant: _, ...rest } = record ?? {
      id: enclave,
      profile: '',
      server: workspace.settings.serverText(),
      endpoint: '',
      serverName: '',
    };
    store.saveRecord(rest);
  }
  const hash = keySha256(ownKey(workspace, enclave));
  workspace.output.result({ ok: true, enclave, keySha256: hash }, [`key ${hash}`]);
}
