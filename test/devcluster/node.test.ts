import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pod } from '../../devcluster/node/pod.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import { PLAIN, pod, shell } from '../support/pods.ts';
import { processesOf } from '../support/processes.ts';
import { until } from '../support/until.ts';

const directory = mkdtempSync(join(tmpdir(), 'node-'));
let cluster: Cluster;
let kubectl: Kubectl;

beforeAll(async () => {
  const catalogueFile = join(directory, 'catalogue.json');
  writeFileSync(catalogueFile, JSON.stringify({ images: { plain: PLAIN } }));
  cluster = await startCluster({ directory: join(directory, 'c'), nodes: 2, catalogueFile, tpm: false });
  kubectl = await kubectlFor(cluster.kubeconfig, directory);
});

afterAll(async () => {
  await cluster?.stop();
  expect(processesOf(directory)).toEqual([]);
  rmSync(directory, { recursive: true, force: true });
});

async function get(name: string): Promise<Pod> {
  return JSON.parse(await kubectl('get', 'pod', name, '-o', 'json')) as Pod;
}

const untilPod = (name: string, what: string, is: (pod: Pod) => boolean | undefined): Promise<Pod> =>
  until(`${name}: ${what}`, async () => {
    const pod = await get(name);
    return is(pod) ? pod : undefined;
  });

const isReady = (pod: Pod): boolean | undefined =>
  pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');

describe('a node', () => {
  test('runs init containers, a native sidecar and the app in order, and ends them in reverse', async () => {
    const mount = [{ name: 'shared', mountPath: '/shared' }];
    await kubectl.apply(
      pod('ordered', {
        initContainers: [
          shell(
            'sidecar',
            'trap "echo sidecar ends >> /shared/log; exit 0" TERM; sleep 0.3; echo sidecar >> /shared/log; touch /shared/up; while :; do sleep 0.05; done',
            {
              restartPolicy: 'Always',
              startupProbe: { exec: { command: ['test', '-e', '/shared/up'] }, periodSeconds: 1 },
              volumeMounts: mount,
            },
          ),
          shell('once', 'echo once >> /shared/log', { volumeMounts: mount }),
        ],
        containers: [
          shell(
            'app',
            'trap "echo app ends >> /shared/log; exit 0" TERM; echo app >> /shared/log; while :; do sleep 0.05; done',
            {
              volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
            },
          ),
        ],
        volumes: [
          { name: 'shared', hostPath: { path: join(directory, 'shared'), type: 'DirectoryOrCreate' } },
        ],
      }),
    );
    const ready = await untilPod('ordered', 'Ready', isReady);
    expect(ready.status?.initContainerStatuses?.map(({ started, ready: is }) => [started, is])).toEqual([
      [true, true],
      [false, true],
    ]);
    expect(cluster.nodes.map(({ address }) => address)).toContain(ready.status?.hostIP);
    const log = join(directory, 'shared/log');
    await until('the app has written', async () => readFileSync(log, 'utf8').includes('app'));
    await kubectl('delete', 'pod', 'ordered');
    expect(readFileSync(log, 'utf8').trim().split('\n')).toEqual([
      'sidecar',
      'once',
      'app',
      'app ends',
      'sidecar ends',
    ]);
  });

  test('gives exactly the environment, bound tokens and the downward API; waits for what is missing', async () => {
    await kubectl.apply(
      pod('given', {
        restartPolicy: 'Never',
        containers: [
          shell('app', 'env; cat /v/key; cat /t/token; ls -l /proc/self/fd', {
            env: [
              { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
              { name: 'FILE', value: 'at:/v/key' },
            ],
            volumeMounts: [
              { name: 'v', mountPath: '/v' },
              { name: 't', mountPath: '/t' },
            ],
          }),
        ],
        volumes: [
          { name: 'v', configMap: { name: 'late' } },
          {
            name: 't',
            projected: {
              sources: [
                { serviceAccountToken: { audience: 'test.example', path: 'token', expirationSeconds: 600 } },
              ],
            },
          },
        ],
      }),
    );
    // The node authorizer of a kube-apiserver may take a moment to learn that the pod is the node's.
    await until('FailedMount', async () => {
      const selector = 'involvedObject.name=given,reason=FailedMount';
      const events = await kubectl('get', 'events', '-o', 'json', '--field-selector', selector);
      const { items } = JSON.parse(events) as { items: { message: string }[] };
      return items.some(({ message }) => message.includes('configmap "late" not found'));
    });
    expect((await get('given')).status?.containerStatuses?.[0]?.state.waiting).toBeDefined();
    await kubectl('create', 'configmap', 'late', '--from-literal=key=text-of-key');
    const done = await untilPod('given', 'Succeeded', ({ status }) => status?.phase === 'Succeeded');
    const output = await kubectl('logs', 'given');
    expect(output).toContain(`IP=${done.status?.podIP}`);
    expect(output).toMatch(/FILE=at:\/.*\/v\/v\/key/);
    expect(output).not.toContain(`HOME=`);
    expect(output).not.toMatch(/ [4-9] -> (?!\/proc)/);
    expect(output).toContain('text-of-key');
    const token = /text-of-key(\S+\.\S+\.[\w-]+)/.exec(output)?.[1] ?? '';
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
      aud: string[];
      'kubernetes.io': { pod: { uid: string }; node: { name: string } };
    };
    expect(claims.aud).toEqual(['test.example']);
    expect(claims['kubernetes.io'].pod.uid).toBe(done.metadata.uid);
    expect(claims['kubernetes.io'].node.name).toBe(done.spec.nodeName);
  });

  test('restarts what fails, with its exit code, its previous log and CrashLoopBackOff', async () => {
    await kubectl.apply(pod('crash', { containers: [shell('app', 'echo run; exit 7')] }));
    const crashed = await untilPod(
      'crash',
      'CrashLoopBackOff',
      ({ status }) => status?.containerStatuses?.[0]?.state.waiting?.reason === 'CrashLoopBackOff',
    );
    const status = crashed.status?.containerStatuses?.[0];
    expect(status?.lastState.terminated?.exitCode).toBe(7);
    expect(status?.restartCount).toBeGreaterThanOrEqual(1);
    expect(await kubectl('logs', 'crash', '--previous')).toBe('run\n');
    expect((await kubectl.try('logs', 'crash', '-c', 'none')).code).not.toBe(0);
  });

  test('readiness follows the probe, a failed liveness probe restarts, Services reach what is ready', async () => {
    const server = `require('node:http').createServer((q, s) => { if (q.url === '/die') { bad = true } s.statusCode = bad && q.url === '/live' ? 500 : 200; s.end('hello') }).listen(8080, process.env.IP); let bad = false;`;
    await kubectl.apply(
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', namespace: 'default' },
        spec: { selector: { app: 'web' }, ports: [{ port: 8080 }] },
      },
      pod(
        'web',
        {
          containers: [
            {
              name: 'app',
              image: 'plain',
              command: [process.execPath, '-e', server],
              env: [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
              readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
              livenessProbe: {
                httpGet: { path: '/live', port: 8080 },
                periodSeconds: 1,
                failureThreshold: 1,
              },
            },
          ],
        },
        { app: 'web' },
      ),
    );
    await untilPod('web', 'Ready', isReady);
    const address = await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}');
    const fetched = await until('the Service', () =>
      fetch(`http://${address}:8080/`)
        .then((r) => r.text())
        .catch(() => undefined),
    );
    expect(fetched).toBe('hello');
    await fetch(`http://${address}:8080/die`);
    await untilPod('web', 'restarted', ({ status }) => status?.containerStatuses?.[0]?.restartCount === 1);
    await untilPod('web', 'Ready again', isReady);
  });

  test('an image or executable that is not there says so; SIGKILL comes when the grace period is over', async () => {
    await kubectl.apply(
      pod('no-image', { containers: [{ name: 'app', image: 'unknown' }] }),
      pod('no-program', {
        restartPolicy: 'Never',
        containers: [{ name: 'app', image: 'plain', command: ['/nowhere'] }],
      }),
      pod('stubborn', {
        terminationGracePeriodSeconds: 1,
        containers: [shell('app', `trap "" TERM; : ${directory}/stubborn; while :; do sleep 0.05; done`)],
      }),
    );
    const missing = await untilPod(
      'no-image',
      'ErrImagePull',
      ({ status }) => status?.containerStatuses?.[0]?.state.waiting?.reason === 'ErrImagePull',
    );
    expect(missing.status?.containerStatuses?.[0]?.state.waiting?.message).toContain('not in the catalogue');
    const failed = await untilPod('no-program', 'Failed', ({ status }) => status?.phase === 'Failed');
    expect(failed.status?.containerStatuses?.[0]?.state.terminated).toMatchObject({
      exitCode: 128,
      reason: 'StartError',
    });
    await untilPod('stubborn', 'Ready', isReady);
    expect(processesOf(`${directory}/stubborn`)).toHaveLength(1);
    const begun = performance.now();
    await kubectl('delete', 'pod', 'stubborn');
    expect(performance.now() - begun).toBeGreaterThan(900);
    expect(processesOf(`${directory}/stubborn`)).toEqual([]);
  });
});
