import { GRANT_VERSION, openGrant } from '../../formats/evidence/grant.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { usage } from '../failure.ts';
import { parseGrantFile } from '../library/front/grant-file.ts';
import { keySha256 } from '../library/front/owner-key.ts';
import { type Granted, signRevocation } from '../library/front/owner-signature.ts';
import { readUserFile } from '../read-user-file.ts';
import { GrantStore } from '../state/grant-store.ts';
import { grantedKey, MAX_GRANT_SECONDS, ownerOf } from './grant-commands.ts';
import { isoTime } from './own-credential.ts';
import { enclaves, requireSession, type Workspace, withFront } from './workspace.ts';

export interface RevokeGrantFlags {
  readonly keySha256?: string;
  readonly grant?: string;
}

/** Who is named where only a key is known; a revocation is about the key, whoever holds it. */
const ANYBODY = '*';

/**
 * `enclavectl revoke-grant ID`: the owner key takes back what it granted to a key: every grant for it that ends no later than the revocation does. Goes by way of the server, which can
 * neither make one nor keep its end.
 */
export async function revokeGrant(
  workspace: Workspace,
  enclave: string,
  flags: RevokeGrantFlags,
): Promise<void> {
  const owner = ownerOf(workspace, enclave);
  const given = new GrantStore(enclaves(workspace).folder(enclave));
  const revoked =
    flags.grant === undefined
      ? byHash(enclave, grantedKey(flags), given, workspace.now())
      : byFile(workspace, enclave, flags.grant);
  const latest = [revoked, ...given.list().filter((each) => each.keySha256 === revoked.keySha256)].reduce(
    (most, { notAfter }) => Math.max(most, notAfter),
    0,
  );
  if (latest <= workspace.now())
    throw usage(
      'grant-ended',
      `the grant ended at ${isoTime(latest)}`,
      'there is nothing to take back: it lets nobody in any more',
    );
  const { json, signature } = signRevocation(owner, { ...revoked, notAfter: latest });
  await withFront(workspace, async (client, pinned) => {
    const { token } = requireSession(workspace, pinned);
    const { trustDocumentVersion } = await client.revokeGrant(
      { revocation: Buffer.from(json), signature: Buffer.from(signature) },
      { token, signal: workspace.signal },
    );
    const { keySha256: key, user } = revoked;
    await given.revoked({ keySha256: key, user, notAfter: latest }, workspace.now());
    const until = isoTime(latest);
    workspace.output.result(
      {
        ...{ ok: true, enclave, keySha256: revoked.keySha256, user: revoked.user, until },
        trustDocumentVersion: Number(trustDocumentVersion),
      },
      [
        `taken back from the key ${revoked.keySha256} until ${until} (trust document ${trustDocumentVersion})`,
        'open connections of it end within seconds; a new grant until then is for another key',
      ],
    );
  });
}

/** What was granted here, or all that may have been granted elsewhere with this owner key. */
function byHash(enclave: string, hash: string, given: GrantStore, now: number): Granted {
  const known = given.list().filter((each) => each.keySha256 === hash);
  const last = known.at(-1);
  return last === undefined
    ? { enclave, keySha256: hash, user: ANYBODY, notAfter: now + MAX_GRANT_SECONDS }
    : { enclave, keySha256: hash, user: last.user, notAfter: last.notAfter };
}

function byFile(workspace: Workspace, enclave: string, path: string): Granted {
  const no = (message: string, remedy: string) => usage('grant-invalid', `${path}: ${message}`, remedy);
  const file = parseGrantFile(readUserFile(path));
  if (!file.ok) throw no(file.message, 'give the file that enclavectl grant wrote');
  const owner = keySha256(ownerOf(workspace, enclave));
  const grant = openGrant(nodeCrypto, file.value.grant, file.value.signature, owner, GRANT_VERSION);
  if (!grant.ok) throw no(grant.message, 'only the owner key that gave it takes it back');
  if (grant.value.enclave !== enclave)
    throw no(
      `it is for the enclave ${grant.value.enclave}`,
      `enclavectl revoke-grant ${grant.value.enclave}`,
    );
  return grant.value;
}
