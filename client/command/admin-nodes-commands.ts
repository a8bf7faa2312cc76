import { type ClusterNode, listNodes, readNode, releaseNode, rotateNode } from '../library/cluster-nodes.ts';
import { confirmName } from './terminal/confirm-name.ts';
import { plainTable } from './terminal/plain-table.ts';
import { type AdminFlags, withCluster } from './with-cluster.ts';
import type { Workspace } from './workspace.ts';

/** `enclavectl admin nodes ls`: nodes, their TPMs and attestation keys. */
export async function listClusterNodes(workspace: Workspace, flags: AdminFlags): Promise<void> {
  const nodes = await withCluster(workspace, flags, (kube) => listNodes(kube, flags.namespace));
  const rows = nodes.map((each) => [
    each.node,
    each.tpmTrust ?? '-',
    (each.boundEkSha256 ?? '-').slice(0, 16),
    ...keyColumns(each),
    remark(each),
  ]);
  const head = ['NODE', 'TPM', 'EK', 'AK', 'UNTIL', ''];
  workspace.output.result(
    { ok: true, nodes: nodes.map(shown) },
    rows.length === 0 ? ['no node has enrolled'] : plainTable(head, rows),
  );
}

/** `enclavectl admin nodes release NODE`: lets another TPM enrol under the node's name. */
export async function releaseClusterNode(
  workspace: Workspace,
  name: string,
  flags: AdminFlags,
): Promise<void> {
  const { output } = workspace;
  await withCluster(workspace, flags, async (kube) => {
    const known = await readNode(kube, flags.namespace, name);
    output.line(`node ${name} is bound to the TPM ${known.boundEkSha256 ?? known.ekSha256 ?? '-'}`);
    output.line(
      'Released, the next TPM that enrols under this name gets it; until then its pods get no certificates.',
    );
    if (flags.yes !== true)
      await confirmName(workspace, name, {
        prompt: `Type the node's name to release it: `,
        remedy: 'give --yes when you know why the node has another TPM',
      });
    await releaseNode(kube, flags.namespace, known);
    output.result({ ok: true, released: shown(known) }, [
      'released: an agent that was refused tries again within seconds; restart the pod of one that keeps its TPM',
    ]);
  });
}

/** `enclavectl admin nodes rotate NODE`: asks for another attestation key. */
export async function rotateClusterNode(
  workspace: Workspace,
  name: string,
  flags: AdminFlags,
): Promise<void> {
  await withCluster(workspace, flags, async (kube) => {
    const retired = await rotateNode(kube, await readNode(kube, flags.namespace, name));
    workspace.output.result({ ok: true, node: name, retired }, [
      `asked the agent of ${name} to use another attestation key than ${retired.join(', ')}`,
      'keys are listed until their certificates end; clients are told of a new key of the same TPM',
    ]);
  });
}

function keyColumns({ attestationKeys }: ClusterNode): [string, string] {
  const newest = attestationKeys.at(-1);
  return [(newest?.spkiSha256 ?? '-').slice(0, 16), newest?.notAfter ?? '-'];
}

function remark({ boundEkSha256, ekSha256, attestationKeys, retired }: ClusterNode): string {
  if (boundEkSha256 === undefined) return 'bound to no TPM: release it';
  if (ekSha256 === undefined) return 'AttestedNode deleted; the binding holds';
  if (ekSha256 !== boundEkSha256) return `AttestedNode names another TPM: release it`;
  if (retired.includes(attestationKeys.at(-1)?.spkiSha256 ?? '')) return 'key to be replaced';
  return attestationKeys.length > 1 ? `${attestationKeys.length} keys` : '';
}

function shown(node: ClusterNode): object {
  const { boundEkSha256 = null, ekSha256 = null, tpmTrust = null, ...rest } = node;
  return { ...rest, boundEkSha256, ekSha256, tpmTrust };
}
