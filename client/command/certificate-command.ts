import { join } from 'node:path';
import { parseGrant } from '../../formats/evidence/grant.ts';
import { readPrivateKey } from '../../platform/identity/credential.ts';
import { keyPairOf } from '../../platform/identity/key-pair.ts';
import { explain } from '../../platform/run/explain.ts';
import { usage } from '../failure.ts';
import { type GrantFile, parseGrantFile } from '../library/front/grant-file.ts';
import { keySha256 } from '../library/front/owner-key.ts';
import { readUserFile } from '../read-user-file.ts';
import { isoTime, ownCredential, ownKey, storedGrant } from './own-credential.ts';
import { enclaves, newestTrust, type Workspace, withFront } from './workspace.ts';

export interface CertificateFlags {
  readonly key?: string;
  readonly grant?: string;
}

/**
 * `enclavectl certificate ID`: issues or renews the user's certificate for an enclave: the owner's, with a key brought by `--key` for a self-deployed one, or a grantee's with
 * `--grant`.
 */
export async function certificate(
  workspace: Workspace,
  enclave: string,
  flags: CertificateFlags,
): Promise<void> {
  const { output, settings } = workspace;
  const store = enclaves(workspace);
  if (flags.key !== undefined) {
    if (store.key(enclave) !== undefined)
      throw usage('key-exists', `a key for ${enclave} is held here already`, 'it is kept; leave --key out');
    store.saveKey(enclave, readKey(flags.key));
  }
  const known = store.record(enclave) ?? {
    id: enclave,
    profile: '',
    server: settings.serverText(),
    endpoint: '',
    serverName: '',
  };
  let grantedBy: string | undefined;
  if (flags.grant !== undefined) {
    const read = readGrant(workspace, enclave, flags.grant);
    const { grant, signature, ...hints } = read.file;
    store.saveRecord({ ...known, ...hints, grant: storedGrant(grant, signature) });
    grantedBy = read.ownerKeySha256;
  } else if (store.record(enclave) === undefined && store.key(enclave) !== undefined) store.saveRecord(known);
  await withFront(workspace, async (client, pinned) => {
    const trust = await newestTrust(workspace, client, pinned);
    const { notAfter } = await ownCredential(workspace, { client, pinned, trust, enclave, always: true });
    const folder = store.folder(enclave);
    const files = { certificate: join(folder, 'certificate.pem'), key: join(folder, 'key.pem') };
    const by = grantedBy === undefined ? {} : { grantedBy };
    output.result({ ok: true, enclave, notAfter: isoTime(notAfter), ...files, ...by }, [
      // Whoever gives the grant is who the enclave belongs to: the one thing that the evidence cannot know.
      ...(grantedBy === undefined ? [] : [`granted by the owner key ${grantedBy}`]),
      `certificate for ${enclave} until ${isoTime(notAfter)}`,
      files.certificate,
      files.key,
    ]);
  });
}

function readKey(path: string) {
  try {
    return keyPairOf(readPrivateKey(readUserFile(path).toString('utf8')));
  } catch (error) {
    throw usage(
      'key-unreadable',
      `${path}: ${explain(error)}`,
      'give a PKCS#8 PEM of an ECDSA key on P-256 or P-384',
    );
  }
}

/** A grant for this enclave and the key that is held. Who signed it, the certificate service judges. @throws Failure */
function readGrant(
  workspace: Workspace,
  enclave: string,
  path: string,
): { readonly file: GrantFile; readonly ownerKeySha256: string } {
  const no = (message: string, remedy = 'ask the owner of the enclave for another grant') =>
    usage('grant-invalid', `${path}: ${message}`, remedy);
  const file = parseGrantFile(readUserFile(path));
  if (!file.ok) throw no(file.message, 'give the file that the owner’s enclavectl grant wrote');
  const parsed = parseGrant(file.value.grant);
  if (!parsed.ok) throw no(parsed.message);
  const { enclave: granted, keySha256: key, notAfter } = parsed.value;
  const own = keySha256(ownKey(workspace, enclave));
  if (granted !== enclave)
    throw no(`it is for the enclave ${granted}`, `enclavectl certificate ${granted} --grant FILE`);
  if (key !== own) throw no(`it is for the key ${key}, the one that is held is ${own}`);
  if (notAfter <= workspace.now()) throw no(`it ended at ${isoTime(notAfter)}`);
  return { file: file.value, ownerKeySha256: keySha256({ spki: parsed.value.ownerKey }) };
}
