/** An emulated TPM for each node, its endorsement key certified by an authority of this cluster only. */
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { TpmAuthority } from '../../../devcluster/tpm/tpm-authority.ts';
import type { Layout } from './layout.ts';
import { INSIDE, type Machine, runIn, startProgram } from './machine.ts';

/** On the node: the folder that pods mount by hostPath, and the socket's name in it. */
export const TPM_FOLDER = '/run/enclave-tpm';
export const TPM_SOCKET = 'tpm.sock';
/** May open it, as the group `tss` of a real device. */
export const TPM_GROUP = 970;

/** Makes and starts them. @returns folder with the roots of their endorsement key certificates, as PEM files */
export async function startTpms({ folder, control, nodes }: Layout): Promise<string> {
  const workshop = join(control.folder, 'tpm');
  const authority = new TpmAuthority(workshop, `${INSIDE}/tpm`);
  const roots = join(folder, 'ek-roots');
  for (const node of nodes) {
    mkdirSync(join(workshop, node.name));
    await authority.manufacture(`${INSIDE}/tpm/${node.name}`, (argv, env) => runIn(control, argv, { env }));
    renameSync(join(workshop, node.name), join(node.folder, 'tpm'));
    await makeSocketFolder(node);
    const socket = `${TPM_FOLDER}/${TPM_SOCKET}`;
    startProgram(node, 'swtpm', [
      // A TPM that was killed has left its sockets.
      ...['sh', '-c', 'rm -f "$0" "$0.ctrl"; exec "$@"', socket],
      ...['swtpm', 'socket', '--tpm2', '--tpmstate', `dir=${INSIDE}/tpm`],
      ...['--flags', 'not-need-init,startup-clear'],
      ...['--server', `type=unixio,path=${socket},mode=0660,gid=${TPM_GROUP}`],
      ...['--ctrl', `type=unixio,path=${socket}.ctrl,mode=0600`],
    ]);
  }
  authority.exportRoots(roots);
  return roots;
}

/** Gone with the machine that made it. */
export async function makeSocketFolder(node: Machine): Promise<void> {
  await runIn(node, ['mkdir', TPM_FOLDER]);
}
