import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ANNOTATIONS, ENABLED, INJECT_LABEL, INJECTION_LABEL } from '../../names/labels.ts';
import { SIDECAR_CONTAINER } from '../../names/sidecar.ts';
import { imageReference } from '../../tools/cluster/catalogue.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

/** Workload authors' own pods, by every controller, in a namespace where Kubernetes enforces its `restricted` standard. */
const NAMESPACE = 'workloads';
const ENDS = ['--version'];
const SERVES = ['--port', '8080'];
let world: World;

interface ContainerStatus {
  readonly name: string;
  readonly state: {
    readonly running?: { readonly startedAt: string };
    readonly terminated?: {
      readonly exitCode: number;
      readonly startedAt: string;
      readonly finishedAt: string;
    };
  };
}
interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly spec: {
    readonly nodeName: string;
    readonly initContainers: readonly { readonly name: string; readonly restartPolicy?: string }[];
  };
  readonly status: {
    readonly phase: string;
    readonly initContainerStatuses: readonly ContainerStatus[];
    readonly containerStatuses: readonly ContainerStatus[];
  };
}

const kubectl = (args: readonly string[], input?: object): Promise<string> =>
  world.environment.kubectl(
    ['-n', NAMESPACE, ...args],
    input === undefined ? undefined : JSON.stringify(input),
  );
const pods = async (app: string): Promise<readonly Pod[]> =>
  (JSON.parse(await kubectl(['get', 'pods', '-l', `app=${app}`, '-o', 'json'])) as { items: Pod[] }).items;

beforeAll(async () => {
  world = await startWorld();
  await world.environment.kubectl(
    ['apply', '-f', '-'],
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: NAMESPACE,
        labels: { [INJECTION_LABEL]: ENABLED, 'pod-security.kubernetes.io/enforce': 'restricted' },
      },
    }),
  );
  // Its minute comes while the others are looked at.
  const jobTemplate = { spec: { template: template('often', ENDS, 'Never') } };
  const spec = { schedule: '* * * * *', successfulJobsHistoryLimit: 1, jobTemplate };
  await kubectl(['apply', '-f', '-'], workload('CronJob', 'batch/v1', 'often', spec));
});
afterAll(async () => {
  await world?.environment.kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=true']);
  await world?.stop();
});

function template(app: string, args: readonly string[], restartPolicy = 'Always', container: object = {}) {
  return {
    metadata: {
      labels: { app, [INJECT_LABEL]: ENABLED },
      annotations: { [ANNOTATIONS.upstream]: '127.0.0.1:8080', [ANNOTATIONS.ownerKey]: '0f'.repeat(32) },
    },
    spec: {
      restartPolicy,
      terminationGracePeriodSeconds: 5,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'app',
          image: imageReference(world.environment.catalogue, 'demo-app'),
          args,
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          ...container,
        },
      ],
    },
  };
}

const workload = (kind: string, apiVersion: string, app: string, spec: object): object => ({
  apiVersion,
  kind,
  metadata: { name: app, namespace: NAMESPACE },
  spec,
});
const selector = (app: string): object => ({ matchLabels: { app } });

function injected(pod: Pod | undefined): void {
  expect(pod?.spec.initContainers[0]).toMatchObject({ name: SIDECAR_CONTAINER, restartPolicy: 'Always' });
}

function ended(pod: Pod | undefined): void {
  injected(pod);
  expect(pod?.status.phase).toBe('Succeeded');
  expect(pod?.status.initContainerStatuses[0]?.state.terminated?.exitCode).toBe(0);
}

describe('what serves: Ready, which a sidecar is when its certificate is attested', () => {
  test('a Deployment of two', async () => {
    const spec = { replicas: 2, selector: selector('web'), template: template('web', SERVES) };
    await kubectl(['apply', '-f', '-'], workload('Deployment', 'apps/v1', 'web', spec));
    await kubectl(['rollout', 'status', 'deployment/web', '--timeout=90s']);
    const found = await pods('web');
    expect(found).toHaveLength(2);
    for (const pod of found) injected(pod);
  });

  test('a StatefulSet, and the pod that takes the name of one that is gone', async () => {
    const spec = { serviceName: 'db', selector: selector('db'), template: template('db', SERVES) };
    await kubectl(['apply', '-f', '-'], workload('StatefulSet', 'apps/v1', 'db', spec));
    await kubectl(['rollout', 'status', 'statefulset/db', '--timeout=90s']);
    const [first] = await pods('db');
    injected(first);
    await kubectl(['delete', 'pod', 'db-0']);
    await kubectl(['rollout', 'status', 'statefulset/db', '--timeout=90s']);
    const [second] = await pods('db');
    injected(second);
    expect(second?.metadata.uid).not.toBe(first?.metadata.uid);
  });

  test('a DaemonSet: evidence of every node’s own TPM', async () => {
    const spec = { selector: selector('each'), template: template('each', SERVES) };
    await kubectl(['apply', '-f', '-'], workload('DaemonSet', 'apps/v1', 'each', spec));
    await kubectl(['rollout', 'status', 'daemonset/each', '--timeout=90s']);
    const found = await pods('each');
    for (const pod of found) injected(pod);
    const nodes = world.environment.cluster.nodes.map(({ name }) => name);
    expect(found.map(({ spec: { nodeName } }) => nodeName).sort()).toEqual(nodes.sort());
  });
});

describe('what ends: complete when its app has ended, the sidecar with it', () => {
  test('a Job', async () => {
    const spec = { template: template('once', ENDS, 'Never') };
    await kubectl(['apply', '-f', '-'], workload('Job', 'batch/v1', 'once', spec));
    await kubectl(['wait', '--for=condition=complete', 'job/once', '--timeout=90s']);
    const [pod, ...others] = await pods('once');
    expect(others).toEqual([]);
    ended(pod);
  });
});

test('the kubelet’s order: the app starts when its sidecar is attested, and ends before it', async () => {
  const app = { lifecycle: { preStop: { sleep: { seconds: 2 } } } };
  const { metadata, spec } = template('order', SERVES, 'Never', app);
  // Its last status is to be read.
  const held = { ...metadata, name: 'order', finalizers: ['enclave-licensing.dev/read'] };
  await kubectl(['apply', '-f', '-'], { apiVersion: 'v1', kind: 'Pod', metadata: held, spec });
  try {
    await kubectl(['wait', '--for=condition=Ready', 'pod/order', '--timeout=60s']);
    const log = await kubectl(['logs', 'order', '-c', SIDECAR_CONTAINER]);
    const attested = /"time":"([^"]+)"[^\n]*"certified and attested"/.exec(log)?.[1] ?? '';
    await kubectl(['delete', 'pod', 'order', '--wait=false']);
    const [sidecar, workload] = await until('both have ended', async () => {
      const [pod] = await pods('order');
      const [first] = pod?.status.initContainerStatuses ?? [];
      const ends = [first, pod?.status.containerStatuses[0]].map((status) => status?.state.terminated);
      return ends.every((end) => end !== undefined) && ends;
    });
    // Statuses know whole seconds.
    const second = (time = ''): number => Math.floor(Date.parse(time) / 1000);
    expect(second(workload?.startedAt)).toBeGreaterThanOrEqual(second(attested));
    expect(second(sidecar?.finishedAt)).toBeGreaterThanOrEqual(second(workload?.finishedAt));
    expect([sidecar?.exitCode, workload?.exitCode]).toEqual([0, 0]);
  } finally {
    await kubectl(['patch', 'pod', 'order', '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
  }
});

describe('the restricted Pod Security Standard', () => {
  test('an injected pod of an author who keeps it passes; one who does not is refused by Kubernetes itself', async () => {
    const bare = (name: string, container: object): object => {
      const { metadata, spec } = template(name, SERVES, 'Always', container);
      return { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name }, spec };
    };
    await kubectl(['apply', '--dry-run=server', '-f', '-'], bare('good', {}));
    await expect(kubectl(['apply', '-f', '-'], bare('bad', { securityContext: {} }))).rejects.toThrow(
      /violates PodSecurity "restricted:latest"/,
    );
  });
});

test('a CronJob', async () => {
  await expect
    .poll(async () => (await pods('often'))[0]?.status.phase, { timeout: 110_000, interval: 1000 })
    .toBe('Succeeded');
  ended((await pods('often'))[0]);
}, 150_000);
