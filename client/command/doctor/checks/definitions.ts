import type { CustomResourceDefinition } from '../../../../platform/kube/resources.ts';
import { differences } from '../differences.ts';
import type { Notes } from '../notes.ts';
import { ofKind } from '../release-objects.ts';
import type { Snapshot } from '../snapshot.ts';

const OWN_GROUP = 'enclave-licensing.dev';

/** Our CustomResourceDefinitions and those of Intel's Trusted Certificate Service, as this version has them. */
export function checkDefinitions(snapshot: Snapshot, notes: Notes): void {
  const stored = notes.value('customresourcedefinitions', snapshot.definitions);
  if (stored === undefined) return;
  const wanted = ofKind<CustomResourceDefinition>(snapshot.release, 'CustomResourceDefinition');
  for (const definition of wanted) {
    const name = definition.metadata?.name ?? '';
    const about = `CustomResourceDefinition ${name}`;
    const found = stored.find(({ metadata }) => metadata?.name === name);
    if (found === undefined) {
      notes.problem('definition-missing', {
        about,
        what: 'is not there',
        why: 'Components that watch or write such objects do not become ready.',
        remedy: 'helm upgrade of the release installs it',
      });
      continue;
    }
    const paths = differences(definition.spec, found.spec);
    const owner = ownerOf(found, snapshot.namespace);
    if (owner !== undefined)
      notes.problem('definition-foreign', {
        about,
        what: `belongs to ${owner}${paths.length > 0 ? `, and differs in ${paths.slice(0, 3).join(', ')}` : ''}`,
        why: 'Its owner may change or delete it, and every object of it goes with it.',
        remedy:
          definition.spec?.group === OWN_GROUP
            ? `one release a cluster: uninstall the other one, or kubectl describe crd ${name}`
            : 'uninstall the other certificate service, or let it keep the definition and serve the same version',
      });
    else if (paths.length > 0)
      notes.problem('definition-differs', {
        about,
        what: `is another version's: it differs in ${paths.slice(0, 3).join(', ')}`,
        why: 'The API server drops or refuses members that the definition does not have.',
        remedy: 'helm upgrade of the release brings it; run the enclavectl of the same version',
      });
  }
  notes.saw(`${wanted.length} definitions as this version has them`);
}

/** Who says that an object is his, when it is not the release in this namespace. */
function ownerOf({ metadata }: CustomResourceDefinition, namespace: string): string | undefined {
  const release = metadata?.annotations?.['meta.helm.sh/release-name'];
  const place = metadata?.annotations?.['meta.helm.sh/release-namespace'];
  if (release !== undefined || place !== undefined)
    return place === namespace
      ? undefined
      : `the Helm release ${release ?? '?'} in namespace ${place ?? '?'}`;
  const part = metadata?.labels?.['app.kubernetes.io/part-of'];
  if (part !== undefined) return part === 'enclave-licensing' ? undefined : part;
  const manager = metadata?.labels?.['app.kubernetes.io/managed-by'];
  const named = metadata?.labels?.['app.kubernetes.io/name'] ?? manager;
  return named === undefined || named === 'enclave-licensing' ? undefined : named;
}
