import { until } from '../../../test/support/until.ts';
import type { Environment } from '../../cluster/environment.ts';
import { kubectlOf } from '../../cluster/operate.ts';
import { runningCluster } from './cluster.ts';
import type { ClusterNode } from './layout.ts';
import { resumeProgram, stopProgram } from './machine.ts';

/** The cluster that is up in this folder, with the faults that a suite may ask of it. @throws Error when none is */
export async function installedCluster(folder: string): Promise<Environment['cluster']> {
  const at = runningCluster(folder);
  if (at === undefined) throw new Error(`no cluster is up in ${folder}: run make cluster`);
  const { tryKubectl } = await kubectlOf(at.kubeconfig, folder);
  const node = (name: string): ClusterNode => {
    const found = at.nodes.find((each) => each.name === name);
    if (found === undefined) throw new Error(`no node ${name}`);
    return found;
  };
  return {
    kubeconfig: at.kubeconfig,
    nodes: at.nodes.map(({ name, address }) => ({ name, address })),
    real: true,
    suspendApi: () => stopProgram(at.control, 'kube-apiserver', 'SIGKILL'),
    resumeApi: async () => {
      resumeProgram(at.control, 'kube-apiserver');
      const ready = ['get', '--raw=/readyz', '--request-timeout=2s'];
      await until('the API server answers', async () => (await tryKubectl(ready)).code === 0, 60_000);
    },
    stopTpm: (name) => stopProgram(node(name), 'swtpm', 'SIGKILL'),
    startTpm: async (name) => resumeProgram(node(name), 'swtpm'),
  };
}
