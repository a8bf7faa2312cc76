import { fromBase64, toBase64 } from '../../formats/bytes/base64.ts';
import { type Credential, createCredential } from '../../platform/identity/credential.ts';
import type { KeyPair } from '../../platform/identity/key-pair.ts';
import { usage } from '../failure.ts';
import type { FrontClient } from '../library/front/front-client.ts';
import { isFresh, issueUserCertificate } from '../library/front/user-certificate.ts';
import type { PinnedRoots } from '../library/trust/pinned-roots.ts';
import type { Trust } from '../library/trust/trust.ts';
import { enclaves, requireSession, type Workspace } from './workspace.ts';

export interface OwnCredentialOptions {
  readonly client: FrontClient;
  readonly pinned: PinnedRoots;
  readonly trust: Trust;
  readonly enclave: string;
  /** Ask for a new one whatever there is. */
  readonly always?: boolean;
}

/** @throws Failure when no key is held for this enclave */
export function ownKey(workspace: Workspace, enclave: string): KeyPair {
  const key = enclaves(workspace).key(enclave);
  if (key !== undefined) return key;
  throw usage(
    'enclave-key-unknown',
    `no key for the enclave ${enclave} is held here`,
    'launch it here, bring the key with enclavectl certificate ID --key FILE, or make one for its owner to grant: enclavectl key ID --new; one with auth: jwt needs none, but connect --listen',
  );
}

/** The user's key and certificate as they are kept, while they are good. @throws Failure when no key is held for this enclave */
export function heldCredential(
  workspace: Workspace,
  enclave: string,
): { readonly credential: Credential; readonly fresh: boolean } | undefined {
  const key = ownKey(workspace, enclave);
  const chain = enclaves(workspace).certificate(enclave);
  if (chain === undefined) return undefined;
  const credential = createCredential(key.privateKey, chain);
  const now = workspace.now();
  return credential.notAfter > now ? { credential, fresh: isFresh(chain, now) } : undefined;
}

/**
 * The user's key and certificate for an enclave; renewed in the last third of its life. When renewal fails and the old one is still good, the old one is used, and
 * said so.
 */
export async function ownCredential(
  workspace: Workspace,
  options: OwnCredentialOptions,
): Promise<Credential> {
  const { enclave, client, pinned, trust } = options;
  const store = enclaves(workspace);
  const key = ownKey(workspace, enclave);
  const held = store.certificate(enclave);
  const now = workspace.now();
  if (held !== undefined && isFresh(held, now) && options.always !== true)
    return createCredential(key.privateKey, held);
  const grant = store.record(enclave)?.grant;
  try {
    const credential = await issueUserCertificate({
      client,
      token: requireSession(workspace, pinned).token,
      enclave,
      key,
      trust,
      signal: workspace.signal,
      now,
      ...(grant && { grant: { grant: bytesOf(grant.grant), signature: bytesOf(grant.signature) } }),
    });
    store.saveCertificate(enclave, credential.chain);
    return credential;
  } catch (error) {
    const old = held && createCredential(key.privateKey, held);
    if (old === undefined || old.notAfter <= now || options.always === true) throw error;
    workspace.output.note(
      `the certificate could not be renewed; the old one is good until ${isoTime(old.notAfter)}`,
    );
    return old;
  }
}

export function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

export function storedGrant(grant: Uint8Array, signature: Uint8Array): { grant: string; signature: string } {
  return { grant: toBase64(grant), signature: toBase64(signature) };
}

export function bytesOf(base64: string): Uint8Array {
  return fromBase64(base64) ?? new Uint8Array();
}
