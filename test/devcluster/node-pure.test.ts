import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { chooseNode } from '../../devcluster/control/scheduler.ts';
import { endpoints } from '../../devcluster/control/service-proxy.ts';
import { writeAtomically } from '../../devcluster/node/atomic-directory.ts';
import { containerCommand } from '../../devcluster/node/container-command.ts';
import { ContainerConfigError, containerEnvironment } from '../../devcluster/node/container-environment.ts';
import { expandVariables } from '../../devcluster/node/expand-variables.ts';
import { ImageCatalogue } from '../../devcluster/node/image-catalogue.ts';
import { logLines } from '../../devcluster/node/log-lines.ts';
import type { ContainerStatus, Pod } from '../../devcluster/node/pod.ts';
import { podStatus } from '../../devcluster/node/pod-status.ts';
import { RestartBackoff, restarts } from '../../devcluster/node/restart-policy.ts';
import { rewritePaths } from '../../devcluster/node/rewrite-paths.ts';
import { serviceEnvironment } from '../../devcluster/node/service-environment.ts';
import { parseOptions } from '../../devcluster/options.ts';

const folder = mkdtempSync(join(tmpdir(), 'node-pure-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const POD: Pod = {
  metadata: { name: 'p', namespace: 'ns', uid: 'u', labels: { app: 'x' } },
  spec: { containers: [{ name: 'app', image: 'i' }] },
};
const CONTEXT = { pod: POD, node: 'n', podIP: '127.64.0.2', hostIP: '127.64.0.1', allocatable: { cpu: '2' } };
const NOTHING = { configMap: async () => undefined, secret: async () => undefined };

describe('what a container is given', () => {
  test('variables expand as a kubelet expands them', () => {
    const known = new Map([['A', '1']]);
    expect(expandVariables('$(A) $$(A) $(B) $A $', known)).toBe('1 $(A) $(B) $A $');
  });

  test('mount paths are rewritten where a path begins, and nowhere else', () => {
    const mappings = [
      { mountPath: '/run/enclave', realPath: '/r/e' },
      { mountPath: '/run', realPath: '/r/x' },
      { mountPath: '/etc/f.txt', realPath: '/r/f' },
    ];
    const pairs: [string, string][] = [
      ['/run/enclave/app.sock', '/r/e/app.sock'],
      ['unix:/run/enclave/app.sock', 'unix:/r/e/app.sock'],
      ['--a=/run,/etc/f.txt:/run/b', '--a=/r/x,/r/f:/r/x/b'],
      ['cat </run/a>/run/b', 'cat </r/x/a>/r/x/b'],
      ['/running /srv/run /run-1', '/running /srv/run /run-1'],
    ];
    for (const [given, expected] of pairs) expect(rewritePaths(given, mappings)).toBe(expected);
  });

  test('command replaces the image entirely, args only its arguments; exactly the named environment', () => {
    const image = {
      digest: '',
      command: ['node', 'main.js'],
      args: ['--default'],
      env: { FROM_IMAGE: '1', A: 'image' },
    };
    const variables = new Map([['A', 'pod']]);
    const run = (container: object) =>
      containerCommand({ name: 'c', ...container }, image, variables, 'h', []);
    expect(run({}).command).toEqual(['node', 'main.js', '--default']);
    expect(run({ args: ['$(A)'] }).command).toEqual(['node', 'main.js', 'pod']);
    expect(run({ command: ['sh'] }).command).toEqual(['sh']);
    expect(run({}).env).toEqual({ PATH: expect.any(String), HOSTNAME: 'h', FROM_IMAGE: '1', A: 'pod' });
  });

  test('a required ConfigMap that is missing is an error, an optional one is not', async () => {
    const container = (optional: boolean) => ({
      name: 'c',
      env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'cm', key: 'k', optional } } }],
    });
    await expect(containerEnvironment(container(false), new Map(), CONTEXT, NOTHING)).rejects.toThrow(
      new ContainerConfigError('configmap "cm" not found'),
    );
    expect(await containerEnvironment(container(true), new Map(), CONTEXT, NOTHING)).toEqual(new Map());
  });

  test('downward API and service variables', async () => {
    const services = serviceEnvironment(
      [
        {
          metadata: { name: 'enclave-certs' },
          spec: { clusterIP: '127.96.0.9', ports: [{ name: 'grpc', port: 8446 }] },
        },
      ],
      { host: '127.0.0.1', port: 6443 },
      true,
    );
    const env = await containerEnvironment(
      {
        name: 'c',
        env: [
          { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
          { name: 'LABEL', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
          { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
          {
            name: 'URL',
            value: 'https://$(ENCLAVE_CERTS_SERVICE_HOST):$(ENCLAVE_CERTS_SERVICE_PORT_GRPC)/$(IP)',
          },
        ],
      },
      services,
      CONTEXT,
      NOTHING,
    );
    expect(env.get('URL')).toBe('https://127.96.0.9:8446/127.64.0.2');
    expect(env.get('ENCLAVE_CERTS_PORT')).toBe('tcp://127.96.0.9:8446');
    expect([env.get('LABEL'), env.get('CPU'), env.get('KUBERNETES_SERVICE_PORT')]).toEqual([
      'x',
      '2',
      '6443',
    ]);
  });

  test('an image is known by name and digest; the catalogue is read anew when it changes', () => {
    const path = join(folder, 'catalogue.json');
    const digest = `sha256:${'a'.repeat(64)}`;
    writeFileSync(path, JSON.stringify({ images: { 'r.example/x': { digest, command: ['x'] } } }));
    const catalogue = new ImageCatalogue(path);
    expect(catalogue.resolve(`r.example/x:v1@${digest}`).command).toEqual(['x']);
    expect(() => catalogue.resolve(`r.example/x@sha256:${'b'.repeat(64)}`)).toThrow(/has digest/);
    expect(() => catalogue.resolve('r.example/y')).toThrow(/not in the catalogue/);
    writeFileSync(path, JSON.stringify({ images: { 'r.example/y': { digest, command: ['why'] } } }));
    expect(catalogue.resolve('r.example/y').command).toEqual(['why']);
  });

  test('a volume changes all at once', () => {
    const volume = join(folder, 'volume');
    const bytes = (text: string) => ({ bytes: Buffer.from(text), mode: 0o600 });
    writeAtomically(
      volume,
      new Map([
        ['a', bytes('1')],
        ['d/b', bytes('1')],
      ]),
    );
    writeAtomically(volume, new Map([['d/b', bytes('2')]]));
    expect(readFileSync(join(volume, 'd/b'), 'utf8')).toBe('2');
    expect(readdirSync(volume).filter((name) => !name.startsWith('..'))).toEqual(['d']);
    expect(readdirSync(volume)).toHaveLength(3);
    expect(() => writeAtomically(volume, new Map([['../x', bytes('')]]))).toThrow(/leaves its volume/);
  });
});

describe('how a pod is', () => {
  const status = (name: string, change: Partial<ContainerStatus>): ContainerStatus => ({
    name,
    image: 'i',
    imageID: '',
    ready: false,
    started: false,
    restartCount: 0,
    state: { waiting: { reason: 'PodInitializing' } },
    lastState: {},
    ...change,
  });
  const running = { containerID: 'c', state: { running: { startedAt: 't' } } };
  const ended = (exitCode: number) => ({
    containerID: 'c',
    state: { terminated: { exitCode, reason: '', finishedAt: 't' } },
  });
  const of = (policy: string, init: ContainerStatus, app: ContainerStatus, terminating = false) =>
    podStatus(
      { ...POD, spec: { ...POD.spec, restartPolicy: policy } },
      {
        containers: [
          { role: 'sidecar', status: init },
          { role: 'app', status: app },
        ],
        podIP: '127.64.0.2',
        hostIP: '127.64.0.1',
        startTime: 't',
        now: 't',
        sandboxReady: true,
        terminating,
      },
    );
  const summary = (policy: string, init: ContainerStatus, app: ContainerStatus): string[] => {
    const { phase = '', conditions = [] } = of(policy, init, app);
    const is = (type: string): string => conditions.find((each) => each.type === type)?.status ?? '';
    return [phase, is('Initialized'), is('ContainersReady'), is('Ready')];
  };

  test('phase and conditions follow the containers', () => {
    const ready = { ...running, started: true, ready: true };
    expect(summary('Always', status('s', running), status('a', {}))).toEqual([
      'Pending',
      'False',
      'False',
      'False',
    ]);
    expect(summary('Always', status('s', { ...running, started: true }), status('a', {}))[1]).toBe('True');
    expect(summary('Always', status('s', ready), status('a', ready))).toEqual([
      'Running',
      'True',
      'True',
      'True',
    ]);
    // A sidecar that is not ready keeps the pod from being so (KEP-753).
    expect(summary('Always', status('s', running), status('a', ready))).toEqual([
      'Running',
      'True',
      'False',
      'False',
    ]);
    expect(summary('Always', status('s', ready), status('a', ended(0)))[0]).toBe('Running');
    expect(summary('Never', status('s', ended(143)), status('a', ended(0)))[0]).toBe('Succeeded');
    expect(summary('OnFailure', status('s', ready), status('a', ended(1)))[0]).toBe('Running');
    expect(summary('Never', status('s', ended(143)), status('a', ended(1)))[0]).toBe('Failed');
    // A sidecar that drains is part of it; of a pod that is being deleted nothing is started again.
    expect(summary('Never', status('s', ready), status('a', ended(1)))[0]).toBe('Running');
    const going = (init: ContainerStatus, app: ContainerStatus) => of('Always', init, app, true).phase;
    expect(going(status('s', ready), status('a', ended(0)))).toBe('Running');
    expect(going(status('s', ended(143)), status('a', ended(0)))).toBe('Succeeded');
    expect(going(status('s', ended(0)), status('a', ended(137)))).toBe('Failed');
    expect(going(status('s', ended(0)), status('a', {}))).toBe('Pending');
  });

  test('restarts', () => {
    expect(restarts('sidecar', 'Never', 0)).toBe(true);
    expect(restarts('init', 'Always', 0)).toBe(false);
    expect(restarts('init', 'Never', 1)).toBe(false);
    expect(restarts('app', undefined, 0)).toBe(true);
    const backoff = new RestartBackoff();
    expect([0, 0, 0, 0].map((ran) => backoff.after(ran))).toEqual([0, 1000, 2000, 4000]);
    expect(backoff.after(60_000)).toBe(0);
  });

  test('the scheduler and the Services see what is ready', () => {
    const node = (name: string, ready: string) => ({
      metadata: { name, labels: { zone: name } },
      status: { conditions: [{ type: 'Ready', status: ready }] },
    });
    const nodes = [node('a', 'True'), node('b', 'True'), node('c', 'False')];
    const onA = { ...POD, spec: { ...POD.spec, nodeName: 'a' } };
    expect(chooseNode(POD, nodes, [onA])).toBe('b');
    expect(chooseNode({ ...POD, spec: { ...POD.spec, nodeSelector: { zone: 'a' } } }, nodes, [onA])).toBe(
      'a',
    );
    expect(
      chooseNode({ ...POD, spec: { ...POD.spec, nodeSelector: { zone: 'c' } } }, nodes, []),
    ).toBeUndefined();
    const ready: Pod = {
      ...POD,
      spec: { containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 80 }] }] },
      status: { podIP: '127.64.0.2', conditions: [{ type: 'Ready', status: 'True' }] },
    };
    const service = { metadata: { namespace: 'ns' }, spec: { selector: { app: 'x' } } };
    expect(endpoints(service, { port: 8080, targetPort: 'web' }, [ready, POD])).toEqual([
      { host: '127.64.0.2', port: 80 },
    ]);
    expect(endpoints({ ...service, spec: {} }, { port: 80 }, [ready])).toEqual([]);
    const starting = { ...ready, status: { podIP: '127.64.0.3' } };
    expect(endpoints(service, { port: 80 }, [starting])).toEqual([]);
    const spec = { ...service.spec, publishNotReadyAddresses: true };
    expect(endpoints({ ...service, spec }, { port: 80 }, [starting])).toEqual([
      { host: '127.64.0.3', port: 80 },
    ]);
  });

  test('logs are cut as asked', () => {
    const text = '2026-01-01T00:00:00.000Z stdout F one\n2026-01-01T00:00:01.000Z stderr F two words\n';
    const read = (query: string): string =>
      logLines(new URLSearchParams(query), Date.parse('2026-01-01T00:00:02Z'))(text);
    expect(read('')).toBe('one\ntwo words\n');
    expect(read('tailLines=1&timestamps=true')).toBe('2026-01-01T00:00:01.000Z two words\n');
    expect(read('sinceSeconds=1')).toBe('two words\n');
    expect(read('limitBytes=2')).toBe('on');
  });
});

describe('options', () => {
  test('wrong use is one line that names what is wrong', () => {
    expect(() => parseOptions(['--dir', 'd'])).toThrow('--catalogue is required');
    expect(() => parseOptions(['--dir', 'd', '--catalogue', 'c', '--nodes', '0'])).toThrow('--nodes must be');
    expect(() => parseOptions(['--what'])).toThrow(/--what/);
    expect(() => parseOptions(['--dir', 'd', '--catalogue', 'c', '--kubeconfig', 'k'])).toThrow(
      /go together/,
    );
  });
});
