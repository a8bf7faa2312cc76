import type { Kube } from '../../platform/kube/kube.ts';
import { SECRETS, type Secret } from '../../platform/kube/resources.ts';

/** One of the Secrets in which the certificate service keeps something. */
export interface OwnSecret {
  readonly namespace: string;
  readonly name: string;
  readonly type: string;
}

/** Reads it; undefined when there is none. @throws when something else has its name */
export async function readOwnSecret(kube: Kube, own: OwnSecret): Promise<Secret | undefined> {
  const { namespace, name, type } = own;
  const secret = await kube.get(SECRETS, { namespace, name });
  if (secret !== undefined && secret.type !== type)
    throw new Error(
      `Secret ${name} has type ${secret.type}, not ${type}: it is another’s, remove or restore it`,
    );
  return secret;
}

/** One member as text; the empty text when it is not there. */
export function secretText(secret: Secret, key: string): string {
  return Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
}

/** Texts as a Secret's `data`. */
export function secretData(texts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(text, 'utf8').toString('base64')]),
  );
}
