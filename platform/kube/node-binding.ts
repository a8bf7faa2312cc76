import { createHash } from 'node:crypto';
import type { Kube } from './kube.ts';
import { SECRETS, type Secret } from './resources.ts';

/**
 * One TPM is one node, and one node is one TPM: two Secrets in the release namespace say so, one named after either. The API server lets a name exist only
 * once, so neither needs a lock or a list.
 */
export interface NodeBinding {
  readonly node: string;
  /** SHA-256 of the endorsement key's SPKI, lower-case hex. */
  readonly ekSha256: string;
}

export const BINDING_TYPE = 'enclave-licensing.dev/node-binding';

/** Name of the Secret that binds a node. A node's name may be longer than what a Secret's name has left for it. */
export function nodeSecret(node: string): string {
  return `node-${createHash('sha256').update(node).digest('hex').slice(0, 40)}`;
}

/** Name of the Secret that binds a TPM. */
export function ekSecret(ekSha256: string): string {
  return `ek-${ekSha256}`;
}

/** What stands in such a Secret; undefined when there is none. */
export async function readBinding(
  kube: Kube,
  namespace: string,
  name: string,
): Promise<NodeBinding | undefined> {
  const secret = await kube.get(SECRETS, { name, namespace });
  return secret && bindingOf(secret);
}

export function bindingOf(secret: Secret): NodeBinding {
  const field = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
  return { node: field('node'), ekSha256: field('ekSha256') };
}

/**
 * Removes what binds a node to TPMs, so that another may enrol under its name. The Secret of a TPM that is another node's by now stays. Done again it goes
 * on where it was interrupted: the node's own Secret goes last.
 * @param ekSha256s the TPMs that may be bound to it
 * @returns names of the Secrets that were removed
 */
export async function removeBinding(
  kube: Kube,
  namespace: string,
  node: string,
  ekSha256s: readonly string[],
): Promise<string[]> {
  const removed: string[] = [];
  for (const name of [...ekSha256s.map(ekSecret), nodeSecret(node)]) {
    const secret = await kube.get(SECRETS, { name, namespace });
    if (secret?.type !== BINDING_TYPE || bindingOf(secret).node !== node) continue;
    const uid = secret.metadata?.uid;
    await kube.delete(SECRETS, { name, namespace }, uid === undefined ? {} : { uid });
    removed.push(name);
  }
  return removed;
}
