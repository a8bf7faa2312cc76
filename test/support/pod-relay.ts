import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Environment } from '../../tools/cluster/environment.ts';
import { readIfThere, runningProcesses } from '../../tools/cluster/running-processes.ts';
import { until } from './until.ts';

export interface PodRelay {
  /** A Unix socket; what connects to it speaks to the target from the pod's address. */
  readonly socketPath: string;
}

export interface PodRelays {
  /** For the pod of that address; made when it is asked for first. */
  of(address: string): Promise<PodRelay>;
  stop(): void;
}

const RELAY = `
const { connect, createServer } = require('node:net');
const [path, host, port] = process.argv.slice(1);
createServer((near) => {
  const far = connect({ host, port: Number(port) });
  near.pipe(far).pipe(near);
  for (const [one, other] of [[near, far], [far, near]]) one.on('error', () => other.destroy()).on('close', () => other.destroy());
}).listen(path, () => console.log('listening'));
`;

/** The process that holds a pod's namespaces: its containers come and go, and those of a pod that is refused are mostly gone. */
function sandboxesOf(uid: string): number[] {
  return runningProcesses(
    ({ pid, command }) =>
      readIfThere(`/proc/${pid}/cgroup`).includes(`/pod${uid}/`) &&
      !command.startsWith('runc') &&
      !readIfThere(`/proc/${pid}/mountinfo`).includes(`/pods/${uid}/containers/`),
  );
}

/** Ways to the target from pods' own addresses: processes in their network namespaces, for pods whose containers run on this machine. */
export function podRelays(
  { kubectl, directory }: Pick<Environment, 'kubectl' | 'directory'>,
  target: { readonly host: string; readonly port: number },
): PodRelays {
  const relays = new Map<string, PodRelay>();
  const children: ChildProcess[] = [];
  const make = async (address: string): Promise<PodRelay> => {
    const wanted = [`--field-selector=status.podIP=${address}`, '-o', 'jsonpath={.items[0].metadata.uid}'];
    const uid = await kubectl(['get', 'pods', '-A', ...wanted]);
    const inside = await until('the sandbox of the pod runs', () => sandboxesOf(uid).at(0));
    const socketPath = join(directory, `relay-${uid.slice(0, 8)}`);
    const argv = ['-e', RELAY, socketPath, target.host, String(target.port)];
    const child = spawn('nsenter', [`--net=/proc/${inside}/ns/net`, process.execPath, ...argv], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    children.push(child);
    await Promise.race([
      once(child.stdout, 'data'),
      once(child, 'exit').then(() => Promise.reject(new Error(`no relay in the pod at ${address}`))),
    ]);
    return { socketPath };
  };
  return {
    of: async (address) => {
      const relay = relays.get(address) ?? (await make(address));
      relays.set(address, relay);
      return relay;
    },
    stop: () => {
      for (const child of children) child.kill('SIGKILL');
    },
  };
}
