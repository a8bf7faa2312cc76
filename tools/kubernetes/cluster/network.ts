/** The wires: one bridge in the control plane's namespace, a pair of interfaces to each node and one to the host. */
import { mustRun } from '../../cluster/command.ts';
import { CONTROL_ADDRESS, HOST_ADDRESS, HOST_LINK, type Layout } from './layout.ts';
import { firstProcess, type Machine, runIn } from './machine.ts';

const BRIDGE = 'bridge0';

export async function connectMachines(at: Layout): Promise<void> {
  const inControl = (...argv: string[]): Promise<string> => runIn(at.control, ['ip', ...argv]);
  await inControl('link', 'add', BRIDGE, 'type', 'bridge');
  await inControl('address', 'add', `${CONTROL_ADDRESS}/24`, 'dev', BRIDGE);
  await inControl('link', 'set', BRIDGE, 'up');
  await addPair(HOST_LINK, undefined, 'host', at.control);
  await mustRun('ip', ['address', 'add', `${HOST_ADDRESS}/24`, 'dev', HOST_LINK]);
  await mustRun('ip', ['link', 'set', HOST_LINK, 'up']);
  await connectNodes(at);
}

/** Those that have just started: the other end of a pair goes when its node ends, routes stay. */
export async function connectNodes({ control, nodes }: Layout): Promise<void> {
  for (const node of nodes) {
    await addPair('eth0', node, node.name, control);
    const inNode = (...argv: string[]): Promise<string> => runIn(node, ['ip', ...argv]);
    await inNode('address', 'add', `${node.address}/24`, 'dev', 'eth0');
    await inNode('link', 'set', 'eth0', 'up');
    await inNode('route', 'add', 'default', 'via', CONTROL_ADDRESS);
  }
  // Pods keep their addresses on the way to other nodes and to the control plane.
  for (const { address, subnet, name } of nodes)
    for (const machine of [control, ...nodes])
      if (machine.name !== name) await runIn(machine, ['ip', 'route', 'replace', subnet, 'via', address]);
}

/** `near` in this machine's namespace (undefined: the host's), `far` on the control plane's bridge. */
async function addPair(
  near: string,
  machine: Machine | undefined,
  far: string,
  control: Machine,
): Promise<void> {
  await mustRun('ip', [
    ...['link', 'add', near, ...(machine === undefined ? [] : ['netns', String(firstProcess(machine))])],
    ...['type', 'veth', 'peer', 'name', far, 'netns', String(firstProcess(control))],
  ]);
  await runIn(control, ['ip', 'link', 'set', far, 'master', BRIDGE, 'up']);
}
