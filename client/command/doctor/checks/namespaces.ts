import { INJECTION_LABEL, MANAGED_LABEL } from '../../../../names/labels.ts';
import type { Namespace } from '../../../../platform/kube/resources.ts';
import { flagOf, podsOf } from '../component-pods.ts';
import type { Notes } from '../notes.ts';
import { labelledNamespaces } from '../read-admission.ts';
import type { Snapshot } from '../snapshot.ts';

const KEEPER = 'enclave-webhook';
const POLICIES = ['enclave-licensing-launched', 'enclave-licensing-self-deployed'];
const LAUNCHER_ROLE = 'enclave-launcher-namespace';
const SYSTEM = 'kube-system';

/** Where enclaves may run: labels, the launcher's rights, and the policies that close enclaves to all but their sidecars. */
export function checkNamespaces(snapshot: Snapshot, notes: Notes): void {
  const namespaces = notes.value('namespaces', snapshot.namespaces);
  if (namespaces === undefined) return;
  const labelled = labelledNamespaces(namespaces);
  for (const name of labelled.filter((each) => each === snapshot.namespace || each === SYSTEM))
    notes.problem('namespace-excluded', {
      about: `namespace ${name}`,
      what: `has the label ${INJECTION_LABEL}=enabled`,
      why: 'It is excluded by name from webhook and policies, so that a cold cluster comes up: nothing there is an enclave.',
      remedy: `kubectl label namespace ${name} ${INJECTION_LABEL}-`,
    });
  const open = labelled.filter((each) => each !== snapshot.namespace && each !== SYSTEM);
  if (open.length === 0)
    notes.warning('no-namespace', {
      about: 'the cluster',
      what: `no namespace has the label ${INJECTION_LABEL}=enabled`,
      why: 'No enclave can be launched or deployed.',
      remedy: `kubectl label namespace NAME ${INJECTION_LABEL}=enabled`,
    });
  judgePodSecurity(namespaces, snapshot, notes);
  judgeLauncher(namespaces, open, snapshot, notes);
  judgePolicies(open, snapshot, notes);
  notes.saw(`enclaves may run in: ${open.join(', ')}`);
}

/** Agents need the node's TPM and network, which only the standard "privileged" lets them have. */
function judgePodSecurity(namespaces: readonly Namespace[], { namespace }: Snapshot, notes: Notes): void {
  const found = namespaces.find(({ metadata }) => metadata?.name === namespace);
  if (found === undefined) {
    notes.problem('namespace-missing', {
      about: `namespace ${namespace}`,
      what: 'is not there',
      why: 'Nothing is installed under this name.',
      remedy: 'give --namespace NAME when the release has another one',
    });
    return;
  }
  const level = found.metadata?.labels?.['pod-security.kubernetes.io/enforce'] ?? 'privileged';
  if (level !== 'privileged')
    notes.problem('namespace-excluded', {
      about: `namespace ${namespace}`,
      what: `Pod Security enforces "${level}" here`,
      why: 'Agents need the TPM of their node and its network, which this standard refuses.',
      remedy: `kubectl label --overwrite namespace ${namespace} pod-security.kubernetes.io/enforce=privileged`,
    });
}

function judgeLauncher(
  namespaces: readonly Namespace[],
  labelled: readonly string[],
  snapshot: Snapshot,
  notes: Notes,
): void {
  const wanted = podsOf(snapshot, 'launcher').flatMap((pod) => flagOf(pod, 'namespaces')?.split(',') ?? []);
  const bindings = notes.value('rolebindings', snapshot.roleBindings);
  for (const name of new Set(wanted)) {
    const about = `namespace ${name}`;
    if (!namespaces.some(({ metadata }) => metadata?.name === name)) {
      notes.problem('namespace-missing', {
        about,
        what: 'is not there, and the launcher launches into it',
        why: 'Profiles in it do not exist, and launches fail.',
        remedy: `kubectl create namespace ${name}; kubectl label namespace ${name} ${INJECTION_LABEL}=enabled`,
      });
      continue;
    }
    if (!labelled.includes(name))
      notes.problem('namespace-not-labelled', {
        about,
        what: `the launcher launches into it, and it lacks the label ${INJECTION_LABEL}=enabled`,
        why: 'The API server refuses every enclave there.',
        remedy: `kubectl label namespace ${name} ${INJECTION_LABEL}=enabled`,
      });
    const bound = bindings?.some(
      ({ metadata, roleRef, subjects }) =>
        metadata?.namespace === name &&
        roleRef.kind === 'ClusterRole' &&
        roleRef.name === LAUNCHER_ROLE &&
        subjects?.some((each) => each.name === 'enclave-launcher' && each.namespace === snapshot.namespace),
    );
    if (bound === false)
      notes.problem('launcher-not-bound', {
        about,
        what: 'the launcher has no rights there',
        why: 'Every launch into it fails.',
        remedy: `kubectl create rolebinding enclave-launcher -n ${name} --clusterrole=${LAUNCHER_ROLE} --serviceaccount=${snapshot.namespace}:enclave-launcher; better: name it in enclaveNamespaces and run helm upgrade`,
      });
  }
}

function judgePolicies(labelled: readonly string[], snapshot: Snapshot, notes: Notes): void {
  const policies = notes.value('networkpolicies', snapshot.networkPolicies);
  if (policies === undefined) return;
  for (const namespace of labelled) {
    const here = policies.filter(
      ({ metadata }) => metadata?.namespace === namespace && metadata.labels?.[MANAGED_LABEL] === KEEPER,
    );
    const missing = POLICIES.filter((name) => !here.some(({ metadata }) => metadata?.name === name));
    if (missing.length > 0)
      notes.problem('network-policy-missing', {
        about: `namespace ${namespace}`,
        what: `NetworkPolicy ${missing.join(', ')} is not there, or not the webhook's`,
        why: 'Apps of enclaves may be reached past their sidecars.',
        remedy: `the webhook's leader makes it within seconds: kubectl logs -n ${snapshot.namespace} -l app.kubernetes.io/name=enclave-webhook`,
      });
  }
}
