import { encodePem } from '../../formats/x509/pem.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import {
  MUTATING_WEBHOOK_CONFIGURATIONS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
} from '../../platform/kube/resources.ts';
import type { KubeObject, Resource } from '../../platform/kube/wire.ts';

interface WebhookConfiguration extends KubeObject {
  webhooks?: { clientConfig: { caBundle?: string } }[];
}

/**
 * `caBundle` of a webhook whose serving certificate one of these roots signed: base64 of their PEM, in an order that does not depend on who writes.
 * @throws when there are none: an empty caBundle means the machine's whole default store to an API server
 */
export function caBundle(systemRoots: readonly Uint8Array[]): string {
  if (systemRoots.length === 0) throw new Error('no system root: the webhooks would be anybody’s');
  const pem = systemRoots.map((root) => encodePem('CERTIFICATE', root)).sort();
  return Buffer.from([...new Set(pem)].join('')).toString('base64');
}

/** The JSON Patch (RFC 6902) that sets each webhook's `caBundle`; undefined when all have it. */
function caBundlePatch(configuration: WebhookConfiguration, bundle: string): object[] | undefined {
  const stale = (configuration.webhooks ?? []).flatMap((webhook, index) =>
    webhook.clientConfig.caBundle === bundle ? [] : [index],
  );
  if (stale.length === 0) return undefined;
  return [
    // Positions count only in the version that was read.
    { op: 'test', path: '/metadata/resourceVersion', value: configuration.metadata?.resourceVersion },
    ...stale.map((index) => ({ op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: bundle })),
  ];
}

/**
 * Brings the named mutating and validating configurations up to date; one that does not exist (yet) is no failure.
 * @returns names of those that were changed
 */
export async function updateCaBundles(
  kube: Kube,
  names: readonly string[],
  bundle: string,
): Promise<string[]> {
  const changed: string[] = [];
  const resources: Resource<WebhookConfiguration>[] = [
    MUTATING_WEBHOOK_CONFIGURATIONS,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
  ];
  for (const resource of resources)
    for (const name of names) {
      const found = await kube.get(resource, { name });
      const patch = found && caBundlePatch(found, bundle);
      if (patch === undefined) continue;
      await kube.patch(resource, { name }, patch, 'json');
      changed.push(`${resource.kind}/${name}`);
    }
  return changed;
}
