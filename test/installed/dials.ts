/** Pods that say what they can connect to. */
import { ANNOTATIONS, ENABLED, INJECT_LABEL } from '../../names/labels.ts';
import { imageReference } from '../../tools/cluster/catalogue.ts';
import type { Environment } from '../../tools/cluster/environment.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
}

interface Named {
  readonly namespace: string;
  readonly name: string;
}

/** Connects to each target at once; a function's text that the images' own node runs. Prints the names of those that took the connection. */
const DIAL = `const dial = (targets) => Promise.all(Object.entries(targets).map(([name, { host, port }]) =>
  new Promise((resolve) => {
    const socket = require('node:net').connect({ host, port, timeout: 1500 });
    const end = (found) => () => { socket.destroy(); resolve(found); };
    socket.on('connect', end([name])).on('timeout', end([])).on('error', end([]));
  }))).then((found) => JSON.stringify(found.flat().sort()));`;

/** An ordinary pod that serves in clear text on 8080. */
export function appPod(
  { catalogue }: Environment,
  { namespace, name, node }: Named & { readonly node?: string },
): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: {
      ...(node !== undefined && { nodeName: node }),
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'app',
          image: imageReference(catalogue, 'demo-app'),
          args: ['--port', '8080', '--host=0.0.0.0'],
        },
      ],
    },
  };
}

/** A self-deployed enclave whose app first says what it reaches, as a line `reached [...]` of its log, and then serves. */
export function enclaveThatDials(
  { catalogue }: Environment,
  { namespace, name }: Named,
  targets: Readonly<Record<string, Target>>,
): object {
  const serve = `${DIAL} dial(${JSON.stringify(targets)}).then((text) => console.log('reached ' + text));
    require('node:http').createServer((_, answer) => answer.end()).listen(8080, '127.0.0.1');`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels: { [INJECT_LABEL]: ENABLED },
      annotations: { [ANNOTATIONS.upstream]: '127.0.0.1:8080', [ANNOTATIONS.ownerKey]: '0f'.repeat(32) },
    },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'app',
          image: imageReference(catalogue, 'demo-app'),
          command: ['/usr/bin/node', '-e', serve],
        },
      ],
    },
  };
}

/** Address of a pod: `which` is its name, or a selector that one pod has. */
export function addressOf(
  { kubectl }: Environment,
  namespace: string,
  ...which: readonly string[]
): Promise<string> {
  const path = which.length === 1 ? '{.status.podIP}' : '{.items[0].status.podIP}';
  return kubectl(['get', 'pods', ...which, '-n', namespace, '-o', `jsonpath=${path}`]);
}

/** Names of the targets that the pod can connect to, sorted. */
export async function reached(
  { kubectl }: Environment,
  { namespace, pod }: { readonly namespace: string; readonly pod: string },
  targets: Readonly<Record<string, Target>>,
): Promise<readonly string[]> {
  const script = `${DIAL} dial(${JSON.stringify(targets)}).then(console.log);`;
  const said = await kubectl(['exec', pod, '-n', namespace, '--', '/usr/bin/node', '-e', script]);
  return JSON.parse(said) as string[];
}
