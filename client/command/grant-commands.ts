import { createPublicKey } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { toHex } from '../../formats/bytes/bytes.ts';
import { parseCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { decodePem } from '../../formats/x509/pem.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import type { KeyPair } from '../../platform/identity/key-pair.ts';
import { explain } from '../../platform/run/explain.ts';
import { Failure, usage } from '../failure.ts';
import { formatGrantFile } from '../library/front/grant-file.ts';
import { keySha256 } from '../library/front/owner-key.ts';
import { type Granted, type OwnerSigned, signGrant } from '../library/front/owner-signature.ts';
import { readUserFile } from '../read-user-file.ts';
import { GrantStore } from '../state/grant-store.ts';
import { isoTime, ownKey } from './own-credential.ts';
import { plainTable } from './terminal/plain-table.ts';
import { readTime } from './verify-command.ts';
import { enclaves, type Workspace } from './workspace.ts';

export interface GrantFlags {
  readonly key?: string;
  readonly keySha256?: string;
  readonly user: string;
  /** Milliseconds. */
  readonly for?: number;
  readonly until?: string;
  readonly out?: string;
}

/** Grants end: one that was forgotten, and whose owner key is gone, does so by itself. */
export const MAX_GRANT_SECONDS = 90 * 86_400;

/** `enclavectl grant ID`: the owner key lets another key connect until a time. Writes a file for whoever holds that key. */
export async function grant(workspace: Workspace, enclave: string, flags: GrantFlags): Promise<void> {
  const owner = ownerOf(workspace, enclave);
  const granted = {
    enclave,
    keySha256: grantedKey(flags),
    user: flags.user,
    notAfter: endOf(workspace, flags),
  };
  if (granted.keySha256 === keySha256(owner))
    throw usage('grant-invalid', 'this is the owner key itself', 'give the key of whoever is to be let in');
  const store = enclaves(workspace);
  const given = new GrantStore(store.folder(enclave));
  const back = given
    .list()
    .find((each) => each.revokedAt !== undefined && each.keySha256 === granted.keySha256);
  if (back !== undefined && back.notAfter > workspace.now())
    throw usage(
      'grant-revoked',
      `what this key was granted was taken back until ${isoTime(back.notAfter)}: no grant of it counts before`,
      `let them make another key: enclavectl key ${enclave} --new --replace`,
    );
  const signed = signedGrant(owner, granted);
  const path = resolve(flags.out ?? `${enclave}-${granted.keySha256.slice(0, 8)}.grant`);
  if (existsSync(path)) throw usage('file-exists', `${path} is there already`, 'give another --out FILE');
  const { endpoint, serverName } = store.record(enclave) ?? {};
  // Kept first: what was signed and is not known here could not be taken back by its hash alone.
  const { keySha256: key, user, notAfter } = granted;
  await given.add({ keySha256: key, user, notAfter }, workspace.now());
  const file = {
    ...{ grant: signed.json, signature: signed.signature },
    ...(endpoint && serverName ? { endpoint, serverName } : {}),
  };
  writeFileSync(path, formatGrantFile(file), { flag: 'wx' });
  const until = isoTime(granted.notAfter);
  const by = keySha256(owner);
  workspace.output.result({ ok: true, ...granted, notAfter: until, file: path, grantedBy: by }, [
    `${granted.user} may connect to ${enclave} with the key ${granted.keySha256} until ${until}`,
    path,
    `for them: enclavectl certificate ${enclave} --grant FILE shows the owner key ${by}; then enclavectl connect ${enclave}`,
  ]);
}

/** `enclavectl grants ID`: what was granted here. */
export async function listGrants(workspace: Workspace, enclave: string): Promise<void> {
  const store = enclaves(workspace);
  ownerOf(workspace, enclave);
  const now = workspace.now();
  const grants = new GrantStore(store.folder(enclave)).list().map(({ notAfter, revokedAt, ...rest }) => ({
    ...rest,
    notAfter: isoTime(notAfter),
    state: revokedAt !== undefined ? 'revoked' : notAfter <= now ? 'ended' : 'good',
  }));
  const rows = grants.map((each) => [each.keySha256, each.user, each.notAfter, each.state]);
  workspace.output.result(
    { ok: true, enclave, grants },
    rows.length === 0 ? ['nothing was granted here'] : plainTable(['KEY', 'USER', 'UNTIL', ''], rows),
  );
}

/** The owner key of an enclave. @throws Failure when none is held, or the one that is is a grantee's */
export function ownerOf(workspace: Workspace, enclave: string): KeyPair {
  const held = ownKey(workspace, enclave);
  if (enclaves(workspace).record(enclave)?.grant === undefined) return held;
  throw new Failure(
    'not-allowed',
    'key-not-owner',
    `the key for ${enclave} is not its owner's: it was granted access`,
    'only the owner of an enclave grants, and takes back',
  );
}

function signedGrant(owner: KeyPair, granted: Granted): OwnerSigned {
  try {
    return signGrant(owner, granted);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw usage('grant-invalid', error.message, 'enclavectl help grant');
  }
}

/** @throws Failure unless exactly one of `--for` and `--until` says a time ahead, and not too far */
function endOf(workspace: Workspace, flags: Pick<GrantFlags, 'for' | 'until'>): number {
  const now = workspace.now();
  if ((flags.for === undefined) === (flags.until === undefined))
    throw usage('grant-invalid', 'a grant has one end', 'give --for DURATION or --until TIME');
  const end =
    flags.until === undefined ? now + Math.floor((flags.for ?? 0) / 1000) : readTime(flags.until, '--until');
  if (end > now && end <= now + MAX_GRANT_SECONDS) return end;
  throw usage(
    'grant-invalid',
    end > now ? 'a grant lasts 90 days (2160h) at most' : 'a grant must end in the future',
    'give --for DURATION or --until TIME',
  );
}

/** @throws Failure */
export function grantedKey({ key, keySha256: hex }: Pick<GrantFlags, 'key' | 'keySha256'>): string {
  if ((key === undefined) === (hex === undefined))
    throw usage('grant-invalid', 'one key is needed', 'give --key FILE or --key-sha256 HEX');
  if (hex !== undefined) {
    if (/^[0-9a-f]{64}$/.test(hex)) return hex;
    throw usage(
      'grant-invalid',
      `--key-sha256 ${hex} is no SHA-256`,
      'give 64 lower-case hexadecimal digits: enclavectl key ID shows them to whoever holds the key',
    );
  }
  return hashOfFile(key ?? '');
}

/** SHA-256 of the SPKI in a PEM file: public key, certificate, certificate request or private key. */
function hashOfFile(path: string): string {
  const pem = readUserFile(path).toString('utf8');
  try {
    const spki = requestKey(pem) ?? createPublicKey(pem).export({ type: 'spki', format: 'der' });
    return toHex(nodeCrypto.hash('sha256', spki));
  } catch (error) {
    throw usage('key-unreadable', `--key ${path}: ${explain(error)}`, 'give a PEM file of the public key');
  }
}

function requestKey(pem: string): Uint8Array | undefined {
  const request = decodePem('CERTIFICATE REQUEST', pem);
  const parsed = request.ok && request.value[0] ? parseCertificateRequest(request.value[0]) : undefined;
  return parsed?.ok ? parsed.value.spki : undefined;
}
