import type { Notes } from '../notes.ts';
import type { Snapshot } from '../snapshot.ts';
import { nowOf, timeOf } from './time.ts';

const ABOUT = 'ConfigMap enclave-licensing-findings';
/** The keeper writes each minute. */
const SILENT_MS = 180_000;
const SHOWN = 20;

/** What the webhook's leader found about pods and policies; docs/injection.md has what each means. */
export function checkKeeperFindings(snapshot: Snapshot, notes: Notes): void {
  const found = notes.value(ABOUT, snapshot.findings);
  if (!snapshot.findings.ok) return;
  const summary = found?.data?.['summary'];
  const looked = timeOf(/looked at (\S+)/.exec(summary ?? '')?.[1]);
  if (looked === undefined || nowOf(snapshot) * 1000 - looked > SILENT_MS)
    notes.problem('keeper-silent', {
      about: ABOUT,
      what: summary === undefined ? 'is not there' : `is old: ${summary}`,
      why: 'Nobody looks for enclaves without a sidecar, or that can be reached past it.',
      remedy: `kubectl logs -n ${snapshot.namespace} -l app.kubernetes.io/name=enclave-webhook`,
    });
  const lines = (found?.data?.['findings'] ?? '').split('\n').filter((line) => line !== '');
  for (const line of lines.slice(0, SHOWN)) {
    const [, about = line, message = ''] = /^(\S+ \S+ \S+): (.*)$/.exec(line) ?? [];
    notes.problem('keeper-finding', {
      about,
      what: message,
      why: 'Something that counts as an enclave is not protected as one.',
      remedy: 'docs/injection.md, "No silent gap", says what to do for each',
    });
  }
  if (lines.length > SHOWN)
    notes.problem('keeper-finding', {
      about: ABOUT,
      what: `${lines.length - SHOWN} more findings`,
      why: 'Each is about something that counts as an enclave and is not protected as one.',
      remedy: `kubectl get configmap enclave-licensing-findings -n ${snapshot.namespace} -o jsonpath='{.data.findings}'`,
    });
  notes.saw(summary ?? '');
}
