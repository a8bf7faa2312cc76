import type { Notes } from '../notes.ts';
import type { Right, Snapshot } from '../snapshot.ts';

const SHOWN = 6;

/** Whether each component may do what its rules in the chart say, by the API server's own word; and whether you may look. */
export function checkRights(snapshot: Snapshot, notes: Notes): void {
  const rights = notes.value('subjectaccessreviews', snapshot.rights);
  const own = notes.value('selfsubjectaccessreviews', snapshot.ownRights);
  const missing = (rights ?? []).filter(({ allowed }) => !allowed);
  const signers = missing.filter(({ resource }) => resource === 'signers');
  if (signers.length > 0)
    notes.problem('signer-right-missing', {
      about: `service account ${signers[0]?.who}`,
      what: `may not ${listed(signers)}`,
      why: 'The API server refuses what it approves or signs: no component, enclave or user gets a certificate.',
      remedy:
        'helm upgrade restores the ClusterRole enclave-certs; whoever installs must be cluster-admin, or hold these rights',
    });
  const others = Map.groupBy(
    missing.filter(({ resource }) => resource !== 'signers'),
    ({ who }) => who,
  );
  for (const [who, its] of others)
    notes.problem('right-missing', {
      about: `service account ${who}`,
      what: `may not ${listed(its)}`,
      why: 'What needs it does not work; the component logs "forbidden".',
      remedy: `helm upgrade restores its roles; kubectl describe clusterrole,role -A | grep -A20 ${who}`,
    });
  const lacking = (own ?? []).filter(({ allowed }) => !allowed);
  if (lacking.length > 0)
    notes.warning('own-right-missing', {
      about: 'you',
      what: `may not ${listed(lacking)}`,
      why: 'What you may not read was not looked at.',
      remedy: 'run doctor with the rights in charts/licensing/files/doctor.yaml',
    });
  notes.saw(`${rights?.length ?? 0} rights of components are there`);
}

function listed(rights: readonly Right[]): string {
  const lines = rights.map(
    ({ verb, resource, group, name, namespace }) =>
      `${verb} ${resource}${group === '' ? '' : `.${group}`}${name === undefined ? '' : ` ${name}`}${namespace === undefined ? '' : ` in ${namespace}`}`,
  );
  const more = lines.length - SHOWN;
  return `${lines.slice(0, SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
