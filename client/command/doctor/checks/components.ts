import { binaryName, COMPONENTS, type Component } from '../../../../names/components.ts';
import { flagOf, podsOf, whyNotReady } from '../component-pods.ts';
import type { Notes } from '../notes.ts';
import { isReady } from '../read-logs.ts';
import type { Snapshot } from '../snapshot.ts';

/** What goes wrong without it. */
const WITHOUT: Readonly<Record<Exclude<Component, 'agent'>, string>> = {
  webhook: 'Creating any pod in a labelled namespace is refused.',
  certs:
    'Nobody gets or renews a certificate, and the trust document grows old: after an hour sidecars let nobody in.',
  front: 'Users can neither log in nor launch.',
  launcher: 'Nothing is launched, and users get no certificates.',
};
const RUN_BY_DEPLOYMENTS = ['certs', 'webhook', 'launcher', 'front'] as const;

/** The release's own pods: there, ready, reachable by their Services, of one version, and told the same. */
export function checkComponents(snapshot: Snapshot, notes: Notes): void {
  if (notes.value(`pods in ${snapshot.namespace}`, snapshot.pods) === undefined) return;
  for (const component of RUN_BY_DEPLOYMENTS) judgeOne(component, snapshot, notes);
  judgeEndpoints(snapshot, notes);
  judgeVersions(snapshot, notes);
  judgeSettings(snapshot, notes);
  notes.saw(
    RUN_BY_DEPLOYMENTS.map((each) => {
      const pods = podsOf(snapshot, each);
      return `${each} ${pods.filter(isReady).length}/${pods.length}`;
    }).join(', '),
  );
}

function judgeOne(component: Exclude<Component, 'agent'>, snapshot: Snapshot, notes: Notes): void {
  const { namespace } = snapshot;
  const pods = podsOf(snapshot, component);
  const name = binaryName(component);
  const why = WITHOUT[component];
  if (pods.length === 0)
    notes.problem('component-missing', {
      about: name,
      what: `no pod of it is in namespace ${namespace}`,
      why,
      remedy: `kubectl describe deployment ${name} -n ${namespace}`,
    });
  const working = pods.some(isReady);
  for (const pod of pods.filter((each) => !isReady(each))) {
    const podName = pod.metadata?.name ?? '';
    const log = snapshot.logs.get(podName);
    if (log !== undefined) notes.optional(`log of ${podName}`, log);
    const reason = whyNotReady(pod, snapshot);
    const said = {
      about: `pod ${podName}`,
      what: reason === '' ? 'is not ready, and does not say why' : `is not ready: ${reason}`,
      why: working ? 'Another replica serves; there is none in reserve.' : why,
      remedy: `kubectl describe pod -n ${namespace} ${podName}; kubectl logs -n ${namespace} ${podName}`,
    };
    if (working) notes.warning('component-not-ready', said);
    else notes.problem('component-not-ready', said);
  }
}

/** A Service without a ready endpoint leads nowhere, whatever the pods say. */
function judgeEndpoints(snapshot: Snapshot, notes: Notes): void {
  const slices = notes.optional(`endpointslices in ${snapshot.namespace}`, snapshot.endpointSlices);
  if (slices === undefined) return;
  for (const component of RUN_BY_DEPLOYMENTS) {
    const name = binaryName(component);
    const open = slices
      .filter(({ metadata }) => metadata?.labels?.['kubernetes.io/service-name'] === name)
      .some(({ endpoints }) => (endpoints ?? []).some(({ conditions }) => conditions?.ready !== false));
    // Pods that are not ready were told above.
    if (!open && podsOf(snapshot, component).some(isReady))
      notes.problem('component-unreachable', {
        about: `Service ${name}`,
        what: 'leads to no ready pod, although there is one',
        why: WITHOUT[component],
        remedy: `kubectl get service ${name} -n ${snapshot.namespace} -o yaml: its selector; kubectl get endpointslices -n ${snapshot.namespace}`,
      });
  }
}

function judgeVersions(snapshot: Snapshot, notes: Notes): void {
  const versions = new Map<string, string[]>();
  for (const component of COMPONENTS)
    for (const { metadata } of podsOf(snapshot, component)) {
      const version = metadata?.labels?.['app.kubernetes.io/version'];
      if (version !== undefined)
        versions.set(version, [...(versions.get(version) ?? []), metadata?.name ?? '']);
    }
  if (versions.size > 1)
    notes.warning('versions-differ', {
      about: 'the release',
      what: [...versions].map(([version, pods]) => `${version}: ${pods.slice(0, 3).join(', ')}`).join('; '),
      why: 'One version and the one before work together while an upgrade rolls out, and no others.',
      remedy: `wait for the upgrade, or look at what holds it up: kubectl get pods -n ${snapshot.namespace} -L app.kubernetes.io/version`,
    });
  const [only] = versions.keys();
  if (versions.size === 1 && only !== undefined) notes.saw(`version ${only}`);
  if (versions.size > 0 && !versions.has(snapshot.version))
    notes.warning('versions-differ', {
      about: 'enclavectl',
      what: `is ${snapshot.version}, the release is ${[...versions.keys()].join(' and ')}`,
      why: 'What it compares the installation with is its own version: differences in definitions, webhooks and policies may be no fault.',
      remedy: 'run the enclavectl of the release: helm test does',
    });
}

/** Flags of which several components must have the same value. */
const SHARED: readonly { readonly flags: Partial<Record<Component, string>>; readonly why: string }[] = [
  {
    flags: { webhook: 'sidecar-image', launcher: 'sidecar-image', agent: 'sidecar-images' },
    why: 'What the webhook injects is refused by the launcher or the agents.',
  },
  {
    flags: {
      webhook: 'enclave-domain',
      launcher: 'enclave-domain',
      agent: 'enclave-domain',
      certs: 'enclave-domain',
    },
    why: 'Certificates are asked for under names that are not signed.',
  },
  {
    flags: { agent: 'trust-domain', certs: 'trust-domain' },
    why: 'Certificates are asked for under names that are not signed.',
  },
  {
    flags: { front: 'public-names', certs: 'front-names' },
    why: 'Front’s certificate lacks the names by which users reach it.',
  },
];

function judgeSettings(snapshot: Snapshot, notes: Notes): void {
  for (const { flags, why } of SHARED) {
    const values = Object.entries(flags).flatMap(([component, flag]) =>
      podsOf(snapshot, component as Component).map((pod) => {
        const [first = ''] = flag === 'sidecar-images' ? [newest(flagOf(pod, flag))] : [flagOf(pod, flag)];
        return { what: `--${flag} of ${pod.metadata?.name}`, value: first };
      }),
    );
    const [one] = values;
    const other = values.find(({ value }) => value !== one?.value);
    if (one === undefined || other === undefined) continue;
    notes.problem('settings-differ', {
      about: 'the release',
      what: `${one.what} is "${one.value}", ${other.what} is "${other.value}"`,
      why,
      remedy: 'helm upgrade gives all of them one value; while an upgrade rolls out this is passing',
    });
  }
}

/** An agent's list begins with this release's image; those before it follow. */
function newest(list: string | undefined): string | undefined {
  return list?.split(',')[0];
}
