import { TEMPLATES } from '../../../../injection/template.ts';
import { INJECTED_ANNOTATION } from '../../../../names/labels.ts';
import { SIDECAR_CONTAINER } from '../../../../names/sidecar.ts';
import type { Pod } from '../../../../platform/kube/resources.ts';
import { flagOf, podsOf } from '../component-pods.ts';
import type { Notes } from '../notes.ts';
import type { Snapshot } from '../snapshot.ts';

/** What really happens to a pod that is created: an enclave gets its sidecar, one that pretends to be one is refused by the API server itself. */
export function checkAdmission(snapshot: Snapshot, notes: Notes): void {
  if (!snapshot.namespaces.ok) {
    notes.value('namespaces, to try an admission in one', snapshot.namespaces);
    return;
  }
  const { admission } = snapshot;
  if (admission === undefined) {
    notes.saw('no labelled namespace to try it in');
    return;
  }
  const about = `pods in namespace ${admission.namespace}`;
  const enclave = notes.value(`creating an enclave with dryRun in ${admission.namespace}`, admission.enclave);
  if (enclave?.admitted === true) judgeInjected(enclave.pod, about, snapshot, notes);
  else if (enclave?.admitted === false)
    notes.problem('admission-refuses', {
      about,
      what: `an enclave as it should be is refused: ${enclave.message}`,
      why: 'No enclave can be launched or deployed here.',
      remedy: /failed calling webhook/.test(enclave.message)
        ? `the API server must reach the webhook: kubectl get pods -n ${snapshot.namespace} -l app.kubernetes.io/name=enclave-webhook; firewalls between control plane and nodes must let port 8445 through`
        : 'what refused it stands in the message: a quota, another webhook or policy of the namespace',
    });
  const forged = notes.value(`creating a forged pod with dryRun in ${admission.namespace}`, admission.forged);
  if (forged?.admitted === true)
    notes.problem('admission-not-refusing', {
      about,
      what: 'a pod that carries an annotation of ours without being an enclave was let through',
      why: 'Neither the rules in the API server nor the webhook were asked.',
      remedy: `kubectl get validatingadmissionpolicybindings; kubectl get ns ${admission.namespace} --show-labels`,
    });
  else if (forged?.admitted === false && /admission webhook /.test(forged.message))
    notes.problem('policies-not-in-force', {
      about,
      what: 'a forged pod was refused by the webhook, and not by the API server before it',
      why: 'ValidatingAdmissionPolicies are not evaluated: kubectl exec into enclaves, and much else, is not refused.',
      remedy: 'kube-apiserver must not run with --disable-admission-plugins=ValidatingAdmissionPolicy',
    });
}

function judgeInjected(pod: Pod, about: string, snapshot: Snapshot, notes: Notes): void {
  const sidecar = pod.spec?.initContainers?.[0];
  if (sidecar?.name !== SIDECAR_CONTAINER) {
    notes.problem('admission-not-injecting', {
      about,
      what: 'a pod with the label of an enclave was let through without a sidecar',
      why: 'It would run as if it were an enclave, and nobody could attest it.',
      remedy: `kubectl get mutatingwebhookconfiguration enclave-licensing -o yaml: selectors, rules; kubectl logs -n ${snapshot.namespace} -l app.kubernetes.io/name=enclave-webhook`,
    });
    return;
  }
  const version = Number(/^(\d+) /.exec(pod.metadata?.annotations?.[INJECTED_ANNOTATION] ?? '')?.[1]);
  const known = TEMPLATES.map((template) => template.version);
  if (!known.includes(version))
    notes.warning('template-unknown', {
      about,
      what: `the sidecar comes from template ${version}; this enclavectl knows ${known.join(' and ')}`,
      why: 'enclavectl and the release are of different versions, and may disagree about what is right.',
      remedy: 'run the enclavectl of the release',
    });
  const images = podsOf(snapshot, 'webhook').map((each) => flagOf(each, 'sidecar-image'));
  const wanted = images.filter((each) => each !== undefined);
  if (wanted.length > 0 && !wanted.includes(sidecar.image ?? ''))
    notes.problem('admission-not-injecting', {
      about,
      what: `the sidecar injected is ${sidecar.image}; the release's webhook injects ${wanted.join(', ')}`,
      why: 'Another webhook answers, or changes what ours injected: agents refuse such a pod.',
      remedy: 'kubectl get mutatingwebhookconfigurations; docs/injection.md',
    });
  notes.saw(
    `an enclave in ${snapshot.admission?.namespace} gets its sidecar (template ${version}), a forged pod is refused`,
  );
}
