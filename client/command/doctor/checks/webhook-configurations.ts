import { equal } from '../../../../formats/bytes/bytes.ts';
import { parseRoots } from '../../../../formats/evidence/roots.ts';
import { decodePem } from '../../../../formats/x509/pem.ts';
import { ROOTS_KEY } from '../../../../names/components.ts';
import type {
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
} from '../../../../platform/kube/resources.ts';
import { differences } from '../differences.ts';
import type { Notes } from '../notes.ts';
import { ofKind } from '../release-objects.ts';
import type { Snapshot } from '../snapshot.ts';

type Configuration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;

/** Both webhook configurations, as this version has them: failure policy, selectors, and the authority that the API server knows the webhook by. */
export function checkWebhookConfigurations(snapshot: Snapshot, notes: Notes): void {
  const kinds = [
    ['MutatingWebhookConfiguration', snapshot.mutating],
    ['ValidatingWebhookConfiguration', snapshot.validating],
  ] as const;
  const roots = snapshot.roots.ok ? parseRoots(snapshot.roots.value?.data?.[ROOTS_KEY] ?? '') : undefined;
  for (const [kind, read] of kinds) {
    const [wanted] = ofKind<Configuration>(snapshot.release, kind);
    if (wanted === undefined) continue;
    const about = `${kind} ${wanted.metadata?.name}`;
    const found = notes.value(about, read);
    if (!read.ok) continue;
    if (found === undefined) {
      notes.problem('webhook-missing', {
        about,
        what: 'is not there',
        why: 'Pods of enclaves are created without a sidecar, or refused by the rules that expect one.',
        remedy: 'helm upgrade of the release installs it',
      });
      continue;
    }
    const paths = differences(wanted.webhooks, found.webhooks, ['caBundle']);
    if (paths.length > 0)
      notes.problem('webhook-differs', {
        about,
        what: `is not what this version installs: webhooks${paths.slice(0, 3).join(', webhooks')}`,
        why: 'Failure policy and selectors decide which pods get past the webhook, and whether the cluster comes up cold.',
        remedy: 'helm upgrade of the release restores it; then find out who changed it: the audit log',
      });
    judgeBundles(found, about, roots?.ok === true ? roots.value.system : [], snapshot, notes);
  }
  notes.saw('both configurations as this version has them, known by the system root');
}

function judgeBundles(
  { webhooks = [] }: Configuration,
  about: string,
  system: readonly Uint8Array[],
  { namespace }: Snapshot,
  notes: Notes,
): void {
  const why =
    'The API server cannot tell the webhook from anybody else, so it refuses every pod of these selectors.';
  const remedy = `the certificate service writes it within a second: kubectl logs -n ${namespace} -l app.kubernetes.io/name=enclave-certs`;
  const bundles = webhooks.map(({ name, clientConfig }) => ({
    name,
    certificates: read(clientConfig.caBundle),
  }));
  const empty = bundles.filter(({ certificates }) => certificates.length === 0).map(({ name }) => name);
  if (empty.length > 0)
    notes.problem('ca-bundle-missing', {
      about,
      what: `caBundle is empty: ${empty.join(', ')}`,
      why,
      remedy,
    });
  if (system.length === 0) return;
  const strange = bundles
    .filter(({ certificates }) => certificates.length > 0)
    .filter(({ certificates }) => !certificates.some((each) => system.some((root) => equal(root, each))))
    .map(({ name }) => name);
  if (strange.length > 0)
    notes.problem('ca-bundle-foreign', {
      about,
      what: `caBundle does not hold the system root that is published: ${strange.join(', ')}`,
      why,
      remedy,
    });
}

/** DER of the certificates in a caBundle; none for what is not PEM. */
function read(bundle: string | undefined): readonly Uint8Array[] {
  const der = decodePem('CERTIFICATE', Buffer.from(bundle ?? '', 'base64').toString('utf8'));
  return der.ok ? der.value : [];
}
