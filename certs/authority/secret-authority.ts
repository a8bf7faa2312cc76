import { ISSUER_SECRET_TYPE, issuerSecret } from '../../names/certs-state.ts';
import { ISSUERS, type Issuer } from '../../names/signers.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { SECRETS } from '../../platform/kube/resources.ts';
import { type OwnSecret, readOwnSecret, secretData, secretText } from '../state/own-secret.ts';
import type { Authority, IssuerKey } from './authority.ts';
import { type IssuerContext, type IssuerPem, makeIssuer, readIssuer } from './issuer-pem.ts';

export interface SecretAuthorityOptions {
  readonly kube: Kube;
  readonly namespace: string;
  readonly context: IssuerContext;
  /** What shows that the cluster has an authority already, in words; undefined before its first start came to its end. */
  readonly begun: string | undefined;
}

const KEY = 'key.pem';
const CERTIFICATE = 'certificate.pem';

/**
 * Opens the issuers of a cluster: a Secret each, immutable, made once. The API server lets a name exist only once, so of several processes that start
 * at the same time one makes an issuer and the others take it over; a first start that was cut short is completed by the next. Once anybody may know the
 * roots, one that is missing is never replaced.
 * @throws Error in one line that says which Secret is wrong and what to do; or what the API server says
 */
export async function openSecretAuthority(options: SecretAuthorityOptions): Promise<Authority> {
  const keys = new Map(
    await Promise.all(
      ISSUERS.map(
        async (issuer): Promise<[Issuer, IssuerKey]> => [issuer, await openIssuer(issuer, options)],
      ),
    ),
  );
  return {
    issuer: (name) => {
      const key = keys.get(name);
      if (key === undefined) throw new Error(`no issuer ${name}`);
      return key;
    },
  };
}

async function openIssuer(issuer: Issuer, options: SecretAuthorityOptions): Promise<IssuerKey> {
  const { kube, namespace, context, begun } = options;
  const own = { namespace, name: issuerSecret(issuer), type: ISSUER_SECRET_TYPE };
  const where = `Secret ${own.name}`;
  const there = await read(kube, own);
  if (there !== undefined) return readIssuer(where, issuer, there, context);
  if (begun !== undefined)
    throw new Error(`${where} is gone, but ${begun}: restore it from its backup, nothing can replace it`);
  const made = makeIssuer(issuer, context);
  try {
    await kube.create(SECRETS, {
      metadata: { namespace, name: own.name },
      type: own.type,
      immutable: true,
      data: secretData({ [KEY]: made.key, [CERTIFICATE]: made.certificate }),
    });
    return readIssuer(where, issuer, made, context);
  } catch (error) {
    if (!isKubeError(error, 'AlreadyExists')) throw error;
    const theirs = await read(kube, own);
    if (theirs === undefined) throw new Error(`${where} was there and is gone: try again`);
    return readIssuer(where, issuer, theirs, context);
  }
}

async function read(kube: Kube, own: OwnSecret): Promise<IssuerPem | undefined> {
  const secret = await readOwnSecret(kube, own);
  return secret && { key: secretText(secret, KEY), certificate: secretText(secret, CERTIFICATE) };
}
