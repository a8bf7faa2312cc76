import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPrivateKey } from '../../platform/identity/credential.ts';
import { generateKey, keyPairOf } from '../../platform/identity/key-pair.ts';
import { explain } from '../../platform/run/explain.ts';
import { usage } from '../failure.ts';
import { keySha256 } from '../library/front/owner-key.ts';
import { isoTime, ownCredential, storedGrant } from './own-credential.ts';
import { enclaves, newestTrust, type Workspace, withFront } from './workspace.ts';

export interface CertificateFlags {
  readonly key?: string;
  readonly newKey?: boolean;
  readonly grant?: string;
  readonly grantSignature?: string;
}

/**
 * `enclavectl certificate ID`: issues or renews the user's certificate for an enclave: the owner's, with a key brought by `--key` for a self-deployed one, or a
 * grantee's with `--grant` and `--grant-signature`. `--new-key` only makes a key and shows its hash, for the owner to grant.
 */
export async function certificate(
  workspace: Workspace,
  enclave: string,
  flags: CertificateFlags,
): Promise<void> {
  const { output, settings } = workspace;
  const store = enclaves(workspace);
  if ((flags.grant === undefined) !== (flags.grantSignature === undefined))
    throw usage('grant-incomplete', '--grant and --grant-signature go together', 'give both files');
  if (flags.key !== undefined || flags.newKey === true) {
    if (store.key(enclave) !== undefined)
      throw usage(
        'key-exists',
        `a key for ${enclave} is held here already`,
        'it is kept; leave --key and --new-key out',
      );
    store.saveKey(enclave, flags.key === undefined ? generateKey() : readKey(flags.key));
  }
  const known = store.record(enclave) ?? {
    id: enclave,
    profile: '',
    server: settings.serverText(),
    endpoint: '',
    serverName: '',
  };
  if (flags.grant !== undefined && flags.grantSignature !== undefined)
    store.saveRecord({
      ...known,
      grant: storedGrant(readFileSync(flags.grant), readFileSync(flags.grantSignature)),
    });
  else if (store.record(enclave) === undefined && store.key(enclave) !== undefined) store.saveRecord(known);
  if (flags.newKey === true) {
    const key = store.key(enclave);
    const hash = key === undefined ? '' : keySha256(key);
    output.result({ ok: true, enclave, keySha256: hash }, [`key ${hash}`]);
    return;
  }
  await withFront(workspace, async (client, pinned) => {
    const trust = await newestTrust(workspace, client, pinned);
    const { notAfter } = await ownCredential(workspace, { client, pinned, trust, enclave, always: true });
    const folder = store.folder(enclave);
    const files = { certificate: join(folder, 'certificate.pem'), key: join(folder, 'key.pem') };
    output.result({ ok: true, enclave, notAfter: isoTime(notAfter), ...files }, [
      `certificate for ${enclave} until ${isoTime(notAfter)}`,
      files.certificate,
      files.key,
    ]);
  });
}

function readKey(path: string) {
  try {
    return keyPairOf(readPrivateKey(readFileSync(path, 'utf8')));
  } catch (error) {
    throw usage(
      'key-unreadable',
      `${path}: ${explain(error)}`,
      'give a PKCS#8 PEM of an ECDSA key on P-256 or P-384',
    );
  }
}
