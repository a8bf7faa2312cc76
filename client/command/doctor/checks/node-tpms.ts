import { flagOf, podsOf } from '../component-pods.ts';
import { expectedNodes, namesOf } from '../expected-nodes.ts';
import type { Notes } from '../notes.ts';
import { isReady } from '../read-logs.ts';
import type { Snapshot } from '../snapshot.ts';
import { days, nowOf, timeOf } from './time.ts';

/** Certificates last 90 days and are renewed after two thirds: less than this, and renewal has failed for days. */
const ENDING_DAYS = 20;

/** Whose TPM is attested, how it came to be trusted, and until when its attestation key is. */
export function checkNodeTpms(snapshot: Snapshot, notes: Notes): void {
  const attested = notes.value('attestednodes', snapshot.attestedNodes);
  const nodes = notes.value('nodes', snapshot.nodes);
  if (attested === undefined || nodes === undefined) return;
  const known = new Map(attested.map((each) => [each.spec?.node ?? '', each]));
  const ready = new Set(
    podsOf(snapshot, 'agent')
      .filter(isReady)
      .map(({ spec }) => spec?.nodeName ?? ''),
  );
  const strangers = expectedNodes(nodes, snapshot)
    .map(({ name }) => name)
    // One without an agent was told already.
    .filter((name) => ready.has(name) && !known.has(name));
  if (strangers.length > 0)
    notes.problem('node-not-attested', {
      about: namesOf(strangers),
      what: 'its agent is ready, and there is no AttestedNode of this name',
      why: 'Somebody deleted the object. What binds the TPM to the node holds, but its pods get no certificates.',
      remedy: `the agent enrols when it starts: kubectl delete pod -n ${snapshot.namespace} ${agentOn(strangers[0], snapshot)}`,
    });
  const emulated = [...known].filter(([, { spec }]) => spec?.tpmTrust === 'emulated').map(([name]) => name);
  if (emulated.length > 0)
    notes.warning('tpm-emulated', {
      about: namesOf(emulated),
      what: 'the TPM is an emulated one: no root of a TPM vendor signed its endorsement key',
      why: 'Whoever runs the machine can make it say anything. Clients refuse it unless their policy allows it.',
      remedy:
        'for real TPMs give the vendor’s root (tpm.ekRoots) or list the key (tpm.ekAllowList); docs/install.md',
    });
  const now = nowOf(snapshot);
  for (const [name, { status }] of known) {
    const newest = status?.attestationKeys?.at(-1);
    const until = timeOf(newest?.notAfter);
    if (until === undefined) continue;
    const left = until / 1000 - now;
    const about = `node ${name}`;
    const remedy = `kubectl logs -n ${snapshot.namespace} ${agentOn(name, snapshot)}`;
    if (left <= 0)
      notes.problem('attestation-key-ended', {
        about,
        what: `the certificate of its attestation key ended ${newest?.notAfter}`,
        why: 'Evidence from this node is refused.',
        remedy: `${remedy}; a machine that is gone for good: enclavectl admin nodes release ${name}`,
      });
    else if (days(left) < ENDING_DAYS)
      notes.warning('attestation-key-ending', {
        about,
        what: `the certificate of its attestation key ends in ${days(left)} days, and was not renewed`,
        why: 'From then on evidence from this node is refused.',
        remedy,
      });
  }
  const pcrs = podsOf(snapshot, 'certs').map((pod) => flagOf(pod, 'pcrs'))[0];
  const quoted = pcrs === undefined ? '' : `, quotes over PCRs ${pcrs}`;
  const trusts = Map.groupBy(known.values(), ({ spec }) => spec?.tpmTrust ?? '?');
  const counted = [...trusts].map(([trust, all]) => `${all.length} ${trust}`).join(', ');
  notes.saw(`${counted || 'no node has enrolled'}${quoted}`);
}

/** Name of the agent's pod on a node. */
function agentOn(node: string | undefined, snapshot: Snapshot): string {
  const found = podsOf(snapshot, 'agent').find(({ spec }) => spec?.nodeName === node);
  return found?.metadata?.name ?? 'enclave-agent-...';
}
