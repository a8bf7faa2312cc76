import type { Notes } from '../notes.ts';
import type { Snapshot } from '../snapshot.ts';

/** Native sidecars and ValidatingAdmissionPolicy are stable from here on. */
const OLDEST = { major: 1, minor: 30 };

/** The API server, and each node's kubelet. */
export function checkKubernetesVersion(snapshot: Snapshot, notes: Notes): void {
  const { version } = snapshot.server;
  notes.saw(`API server ${version}`);
  if (isTooOld(version)) tooOld(notes, 'API server', version);
  const nodes = notes.value('nodes', snapshot.nodes) ?? [];
  for (const { metadata, status } of nodes) {
    const kubelet = status?.nodeInfo?.kubeletVersion ?? '';
    if (isTooOld(kubelet)) tooOld(notes, `node ${metadata?.name}`, kubelet);
  }
  const kubelets = [...new Set(nodes.map(({ status }) => status?.nodeInfo?.kubeletVersion ?? '?'))].sort();
  if (nodes.length > 0) notes.saw(`${nodes.length} nodes, kubelet ${kubelets.join(', ')}`);
}

function tooOld(notes: Notes, about: string, version: string): void {
  notes.problem('kubernetes-too-old', {
    about,
    what: `runs Kubernetes ${version}; 1.30 is the oldest that works`,
    why: 'Before 1.30 an app may start before its sidecar has attested, and the rules that hold while the webhook is down do not exist.',
    remedy: 'upgrade Kubernetes to 1.30 or later; docs/install.md names the versions that were tried',
  });
}

/** A version that cannot be read is not called old. */
function isTooOld(version: string): boolean {
  const found = /^v?(\d+)\.(\d+)/.exec(version);
  if (found === null) return false;
  const [major, minor] = [Number(found[1]), Number(found[2])];
  return major < OLDEST.major || (major === OLDEST.major && minor < OLDEST.minor);
}
