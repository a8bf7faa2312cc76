import { equal } from '../../../formats/bytes/bytes.ts';
import { parseCertificate } from '../../../formats/x509/certificate.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import { type Credential, createCredential } from '../../../platform/identity/credential.ts';
import type { KeyPair } from '../../../platform/identity/key-pair.ts';
import { verifyChain } from '../../../verify/certificate-chain.ts';
import { Failure } from '../../failure.ts';
import type { Trust } from '../trust/trust.ts';
import type { FrontClient } from './front-client.ts';
import { userRequest } from './owner-key.ts';

/** Whose key is to be certified for which enclave; a grant when the key is not the owner's. */
export interface UserCertificateRequest {
  readonly client: FrontClient;
  readonly token: string;
  readonly enclave: string;
  readonly key: KeyPair;
  readonly trust: Trust;
  readonly signal: AbortSignal;
  /** Unix seconds. */
  readonly now: number;
  readonly grant?: { readonly grant: Uint8Array; readonly signature: Uint8Array };
}

/** A new certificate for the user's key, checked before it is used. @throws RpcError; Failure when it is not what was asked for */
export async function issueUserCertificate(wanted: UserCertificateRequest): Promise<Credential> {
  const { client, token, enclave, key, signal, grant } = wanted;
  const { certificateChain } = await client.issueUserCertificate(
    {
      enclave,
      certificateRequest: Buffer.from(userRequest(key)),
      grant: Buffer.from(grant?.grant ?? []),
      grantSignature: Buffer.from(grant?.signature ?? []),
    },
    { token, signal, timeoutMs: 60_000 },
  );
  return checkUserCertificate(certificateChain, wanted);
}

/** A user's certificate is for this key and this enclave, and under the users' roots. @throws Failure */
export function checkUserCertificate(
  chain: readonly Uint8Array[],
  { trust, now, enclave, key }: Pick<UserCertificateRequest, 'trust' | 'now' | 'enclave' | 'key'>,
): Credential {
  const no = (message: string): Failure =>
    new Failure(
      'fault',
      'user-certificate-unusable',
      `the user's certificate: ${message}`,
      'ask the operator',
    );
  const leaf = verifyChain(nodeCrypto, chain, { roots: trust.roots, role: 'users', now });
  if (!leaf.ok) throw no(leaf.message);
  if (!equal(leaf.value.spki, key.spki)) throw no('it is for another key');
  if (leaf.value.extensions.userBinding?.enclave !== enclave) throw no('it is for another enclave');
  return createCredential(key.privateKey, chain);
}

/** Usable now, and not in the last third of its life? */
export function isFresh(chain: readonly Uint8Array[] | undefined, now: number): boolean {
  const leaf = chain?.[0] && parseCertificate(chain[0]);
  if (!leaf?.ok) return false;
  const { notBefore, notAfter } = leaf.value;
  return now >= notBefore && now < notAfter - (notAfter - notBefore) / 3;
}
