/** What every pod of the release keeps to, in each shape that the chart has. */
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { COMPONENTS } from '../../names/components.ts';
import { ENABLED, INJECTION_LABEL, LAUNCHED, MANAGED_BY_LABEL } from '../../names/labels.ts';
import { breachesOfRestricted } from '../support/restricted-standard.ts';
import { identityOf, type Rendered, render } from './render.ts';

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly [member: string]: unknown;
}
interface Workload extends Rendered {
  readonly spec: {
    readonly replicas?: number;
    readonly strategy?: { readonly type?: string };
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template: {
      readonly metadata: Rendered['metadata'];
      readonly spec: { readonly containers: readonly Container[]; readonly [member: string]: unknown };
    };
  };
}

/** What `restricted` forbids and the agent's pod needs: nothing of it is the agent's own container. */
const NODE = ['hostNetwork', 'volume hostPath'];
const LOOPBACK_PROBES = Array.from({ length: 3 }, () => 'a probe or hook with a host');
const RELAY = [
  ...['runAsUser', ...LOOPBACK_PROBES, 'privileged', 'allowPrivilegeEscalation', 'runAsNonRoot'],
].map((field) => `initContainers tpm-relay: ${field}`);
const AGENT_EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  default: [...NODE, ...RELAY],
  ha: [...NODE, ...RELAY],
  socket: NODE,
};
const POSTGRES = { front: { database: { existingSecret: 'front-database' } } };
const SHAPES = {
  default: {},
  ha: { ha: true, ...POSTGRES },
  socket: { tpm: { socketDirectory: '/run/swtpm', group: 1200 } },
} as const;
const shapes: Readonly<Record<string, Promise<Rendered[]>>> = Object.fromEntries(
  Object.entries(SHAPES).map(([shape, values]) => [shape, render({ values })]),
);
const WORKLOADS = ['Deployment', 'DaemonSet'];
const OURS = [...WORKLOADS, 'NetworkPolicy', 'PodDisruptionBudget', 'PersistentVolumeClaim', 'PriorityClass'];

const workloads = (objects: readonly Rendered[]): Workload[] =>
  objects.filter(({ kind }) => WORKLOADS.includes(kind)) as Workload[];
const named = (objects: readonly Rendered[], name: string): Workload => {
  const found = workloads(objects).find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};

describe.each(Object.entries(shapes))('%s', (shape, rendering) => {
  test('every pod is restricted, but the agent’s', async () => {
    for (const { metadata, spec } of workloads(await rendering)) {
      const breaches = breachesOfRestricted({ spec: spec.template.spec });
      const exceptions = metadata.name === 'enclave-agent' ? AGENT_EXCEPTIONS[shape] : [];
      expect(breaches, metadata.name).toEqual(exceptions);
      for (const { securityContext, image, resources, name, ...container } of spec.template.spec.containers) {
        expect(securityContext).toMatchObject({
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(resources).toMatchObject({
          requests: { cpu: expect.any(String), memory: expect.any(String) },
          limits: { memory: expect.any(String) },
        });
        for (const [probe, path] of [
          ['startupProbe', '/livez'],
          ['livenessProbe', '/livez'],
          ['readinessProbe', '/readyz'],
        ] as const)
          expect(container[probe], `${name} ${probe}`).toMatchObject({ httpGet: { path, port: 'health' } });
      }
      expect(spec.template.spec).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        priorityClassName: expect.any(String),
        serviceAccountName: metadata.name,
      });
      expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
    }
  });

  test('each component has its workload; each but the agent a budget and a NetworkPolicy', async () => {
    const objects = await rendering;
    const names = objects.map(identityOf);
    for (const component of COMPONENTS) {
      named(objects, `enclave-${component}`);
      for (const kind of ['PodDisruptionBudget', 'NetworkPolicy'])
        expect(names.includes(`${kind} enclave-licensing/enclave-${component}`), `${kind} ${component}`).toBe(
          component !== 'agent',
        );
    }
  });

  test('the rendering is the one that was looked at', async () => {
    const objects = (await rendering).filter(({ kind }) => OURS.includes(kind));
    await expect(stringify(objects, { aliasDuplicateObjects: false })).toMatchFileSnapshot(
      `../golden/chart/${shape}.yaml`,
    );
  });
});

test('ha doubles what may have two', async () => {
  for (const [shape, replicas] of [
    ['default', 1],
    ['ha', 2],
  ] as const) {
    const objects = (await shapes[shape]) ?? [];
    for (const component of ['webhook', 'certs', 'launcher', 'front'])
      expect(named(objects, `enclave-${component}`).spec.replicas, component).toBe(replicas);
  }
});

test('two processes never share a SQLite file', async () => {
  expect(named((await shapes['default']) ?? [], 'enclave-front').spec.strategy).toEqual({ type: 'Recreate' });
  const shared = named(await render({ values: POSTGRES }), 'enclave-front').spec;
  expect(shared.strategy?.type).toBe('RollingUpdate');
  expect(shared.template.spec.containers[0]?.args.join(' ')).toContain('--database-url-file=');
  expect(shared.template.spec.containers[0]?.args.join(' ')).not.toContain('--database=');
});

test('what was in SQLite is copied by one front alone, and then there are as many as before', async () => {
  const { existingSecret } = POSTGRES.front.database;
  const database = { existingSecret, importClaim: 'enclave-front' };
  const objects = await render({ values: { ha: true, front: { database } } });
  const { spec } = named(objects, 'enclave-front');
  expect(spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
  const { containers, volumes } = spec.template.spec;
  expect(containers[0]?.args).toContain('--import-database=/var/lib/enclave-licensing/front.db');
  expect(containers[0]?.args.join(' ')).toContain('--database-url-file=');
  expect(volumes).toContainEqual({ name: 'state', persistentVolumeClaim: { claimName: 'enclave-front' } });
  expect(containers[0]?.['volumeMounts']).toContainEqual({
    name: 'state',
    mountPath: '/var/lib/enclave-licensing',
  });
  // The claim is the operator's by now: nothing of the release takes it away.
  expect(objects.map(({ kind }) => kind)).not.toContain('PersistentVolumeClaim');
  const done = await render({ values: { ha: true, front: { database: { existingSecret } } } });
  expect(named(done, 'enclave-front').spec.replicas).toBe(2);
  expect(JSON.stringify(named(done, 'enclave-front').spec)).not.toContain('"state"');
});

test('what the test of an installation may do, it may during the test alone', async () => {
  const objects = (await render()).filter(
    (object) =>
      object.metadata.name.startsWith('enclave-doctor') || JSON.stringify(object).includes('enclave-doctor'),
  );
  expect(objects.length).toBeGreaterThan(6);
  for (const object of objects) {
    expect(object.metadata.annotations?.['helm.sh/hook'], identityOf(object)).toBe('test');
    // The pod stays for its output.
    expect(object.metadata.annotations?.['helm.sh/hook-delete-policy']).toBe(
      object.kind === 'Pod' ? 'before-hook-creation' : 'before-hook-creation,hook-succeeded,hook-failed',
    );
  }
  const pod = objects.find(({ kind }) => kind === 'Pod');
  expect(breachesOfRestricted(pod ?? {})).toEqual([]);
});

test('a password in the URL is in a Secret and nowhere else', async () => {
  const url = 'postgres://front:hunter2@db/front';
  const objects = await render({ values: { front: { database: { url } } } });
  const holders = objects.filter((object) => JSON.stringify(object).includes('hunter2'));
  expect(holders.map(identityOf)).toEqual(['Secret enclave-licensing/enclave-front-database']);
  // Another URL is another pod: front reads it when it starts.
  const moved = await render({ values: { front: { database: { url: `${url}2` } } } });
  const template = (all: readonly Rendered[]): unknown => named(all, 'enclave-front').spec.template;
  expect(template(moved)).not.toEqual(template(objects));
});

test('the database’s root reaches front as a file, and only where there is one', async () => {
  const ca = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
  const { existingSecret } = POSTGRES.front.database;
  const objects = await render({ values: { front: { database: { existingSecret, ca } } } });
  const { containers, volumes } = named(objects, 'enclave-front').spec.template.spec;
  expect(containers[0]?.args).toContain('--database-ca-file=/etc/database-ca/ca.pem');
  expect(JSON.stringify(volumes)).toContain('enclave-front-database-ca');
  expect(JSON.stringify(await render({ values: POSTGRES }))).not.toContain('database-ca');
});

test('the launcher may work in the namespaces that the values name, and has their names in DNS', async () => {
  const objects = await render({ values: { enclaveNamespaces: ['team-a', 'team-b'] } });
  const names = objects.map(identityOf);
  const found = (identity: string): Rendered | undefined => objects[names.indexOf(identity)];
  for (const namespace of ['team-a', 'team-b']) {
    expect(names).toContain(`RoleBinding ${namespace}/enclave-launcher`);
    // Injected from the first pod on, and there when the release is gone.
    expect(found(`Namespace /${namespace}`)?.metadata).toMatchObject({
      labels: { [INJECTION_LABEL]: ENABLED },
      annotations: { 'helm.sh/resource-policy': 'keep' },
    });
    expect(found(`Service ${namespace}/enclaves`)?.['spec']).toMatchObject({
      clusterIP: 'None',
      selector: { [MANAGED_BY_LABEL]: LAUNCHED },
    });
  }
  expect(named(objects, 'enclave-launcher').spec.template.spec.containers[0]?.args).toContain(
    '--namespaces=team-a,team-b',
  );
});
