/** What an admission review costs, as multiples of the same HTTPS server with a handler that does nothing, which lets every pod pass. */
import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { rootsToJson } from '../formats/evidence/roots.ts';
import { encodePem } from '../formats/x509/pem.ts';
import { decide } from '../injection/decide.ts';
import type { Pod } from '../injection/pod.ts';
import { chainPem, privateKeyPem } from '../platform/identity/credential.ts';
import { CONFIG, enclavePod, OWNER_KEY } from '../test/injection/support.ts';
import { createTestAuthority } from '../test/support/test-authority.ts';
import { NODE_FLAGS } from '../tools/images/images.ts';
import { median } from './figures.ts';
import type { LoadReport, LoadTask, Served, ServerReport, ServerSetup } from './webhook-tasks.ts';

const [SERVER_CORE, CLIENT_CORE] = ['0', '1'];
const ROUNDS = 5;
const CONNECTIONS = 16;
const ROUND_MS = 1500;
const OPEN_LOOP = { perSecond: 1000, connections: 64, ms: 8000 };
const LARGE_REQUESTS = 30;
const MEMORY_CONNECTIONS = 64;
const MEMORY_MS = 20_000;
/** As large as those of a cluster. */
const ROOTS = rootsToJson({
  system: [createTestAuthority().root],
  enclaves: [createTestAuthority().root],
  users: [createTestAuthority().root],
  'attestation-keys': [createTestAuthority().root],
});
const SERVER_NAME = 'enclave-webhook.enclave-licensing.svc';

const ENV = 12;

/** A pod of so many bytes of JSON, as an API server sends one: its author's fields, and who set which of them. */
function podOf(bytes: number): Pod {
  const env = (n: number) => ({ name: `SETTING_${n}`, value: `value-${n}-${'x'.repeat(24)}` });
  const pod = (count: number) => {
    const base = enclavePod(
      {},
      {
        containers: [
          {
            name: 'app',
            image: `registry.example/app@sha256:${'a1'.repeat(32)}`,
            env: Array.from({ length: count }, (_, n) => env(n)),
            resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } },
            volumeMounts: [{ name: 'cache', mountPath: '/var/cache/app' }],
            securityContext: {
              allowPrivilegeEscalation: false,
              runAsNonRoot: true,
              capabilities: { drop: ['ALL'] },
            },
          },
        ],
        volumes: [{ name: 'cache', emptyDir: {} }],
        tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' }],
      },
    );
    const set = (n: number) => [`k:{"name":"SETTING_${n}"}`, { '.': {}, 'f:name': {}, 'f:value': {} }];
    const fields = Object.fromEntries(Array.from({ length: count }, (_, n) => set(n)));
    const app = { '.': {}, 'f:name': {}, 'f:image': {}, 'f:env': { '.': {}, ...fields } };
    const managedFields = [
      {
        ...{ manager: 'kubectl-create', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1' },
        fieldsV1: { 'f:spec': { 'f:containers': { 'k:{"name":"app"}': app } } },
      },
    ];
    return { ...base, metadata: { ...base.metadata, managedFields } };
  };
  const each = (JSON.stringify(pod(2 * ENV)).length - JSON.stringify(pod(ENV)).length) / ENV;
  return pod(ENV + Math.round((bytes - JSON.stringify(pod(ENV)).length) / each));
}

function reviewOf(pod: Pod): string {
  const resource = { group: '', version: 'v1', resource: 'pods' };
  const kind = { group: '', version: 'v1', kind: 'Pod' };
  return JSON.stringify({
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: '5c6d4a1e-8f0b-4f2e-9d3c-1a2b3c4d5e6f',
      ...{ kind, resource, requestKind: kind, requestResource: resource },
      ...{ name: 'web-1', namespace: 'shop', operation: 'CREATE' },
      userInfo: {
        username: 'system:serviceaccount:kube-system:replicaset-controller',
        groups: ['system:authenticated'],
      },
      object: pod,
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
    },
  });
}

function pinned(file: string, core: string | undefined): ChildProcess {
  return fork(resolve(file), {
    execPath: 'taskset',
    execArgv: ['-c', core ?? '0', process.execPath, ...NODE_FLAGS, '--expose-gc'],
  });
}

function tell<T>(child: ChildProcess, message: LoadTask | ServerSetup | 'report'): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(new Error('a process of the bench has ended'));
    child.once('exit', gone);
    child.once('message', (answer: T & { failed?: string }) => {
      child.off('exit', gone);
      if (answer.failed === undefined) resolve(answer);
      else reject(new Error(answer.failed));
    });
    child.send(message);
  });
}

class Bench {
  readonly #children: ChildProcess[] = [];
  readonly #ports = new Map<Served, { child: ChildProcess; port: number }>();
  readonly #authority = createTestAuthority();
  readonly #load = pinned('bench/webhook-load.ts', CLIENT_CORE);

  async start(serve: Served, answer: string): Promise<void> {
    const credential = this.#authority.issue({ dns: [SERVER_NAME] });
    const child = pinned('bench/webhook-server.ts', SERVER_CORE);
    this.#children.push(child);
    const setup = {
      serve,
      answer,
      roots: ROOTS,
      cert: chainPem(credential),
      key: privateKeyPem(credential.privateKey),
    };
    const { port } = await tell<ServerReport>(child, setup);
    this.#ports.set(serve, { child, port });
  }

  run(serve: Served, task: Omit<LoadTask, 'port' | 'ca' | 'serverName'>): Promise<LoadReport> {
    const ca = encodePem('CERTIFICATE', this.#authority.root);
    return tell(this.#load, {
      ...task,
      ca,
      serverName: SERVER_NAME,
      port: this.#ports.get(serve)?.port ?? 0,
    });
  }

  async report(serve: Served): Promise<ServerReport> {
    const { child } = this.#ports.get(serve) ?? {};
    if (child === undefined) throw new TypeError(`${serve} was not started`);
    return tell(child, 'report');
  }

  close(): void {
    for (const each of [...this.#children, this.#load]) each.disconnect();
  }
}

/** Prints a table. `long`: a million reviews for the memory's row instead of what fits into the time. */
export async function benchWebhook(long: boolean): Promise<void> {
  const bench = new Bench();
  try {
    const small = reviewOf(podOf(4096));
    await bench.start('webhook', '');
    const { answer } = await bench.run('webhook', { body: small, connections: 1, requests: 1 });
    for (const floor of ['admits', 'constant'] as const) await bench.start(floor, answer);
    const rows: [string, string, string][] = [];
    const multiples = await compare(bench, small);
    rows.push(
      ['handler that does nothing (admits every pod), CPU', `${multiples.floorUs.toFixed(0)} us`, ''],
      ['review of a 4 KB pod, CPU', `${multiples.cpu.toFixed(2)}x`, '1.4x'],
      ['the same, by time with 16 connections', `${multiples.time.toFixed(2)}x`, '1.4x'],
      ['the same, of a handler that does not parse either, CPU', `${multiples.ofConstant.toFixed(2)}x`, ''],
      ['reviews a second, one core', multiples.rate.toFixed(0), ''],
      [
        '`decide`, 4 KB pod, a replica of one seen before',
        `${decideUs(podOf(4096), false).toFixed(1)} us`,
        '15 us',
      ],
      ['the same, a pod like no other', `${decideUs(podOf(4096), true).toFixed(1)} us`, '15 us'],
    );
    const open = await bench.run('webhook', { body: small, ...OPEN_LOOP });
    for (const [name, share] of [
      ['p50', 0.5],
      ['p99', 0.99],
      ['worst', 1],
    ] as const)
      rows.push([`latency at 1,000 a second, ${name}`, `${at(open.latencies, share).toFixed(2)} ms`, '']);
    const large = await bench.run('webhook', {
      body: reviewOf(podOf(1_000_000)),
      connections: 1,
      requests: LARGE_REQUESTS,
    });
    rows.push(['review of a 1 MB pod, median', `${at(large.latencies, 0.5).toFixed(1)} ms`, '25 ms']);
    rows.push(['review of a 1 MB pod, worst', `${at(large.latencies, 1).toFixed(1)} ms`, '']);
    rows.push(...(await memory(bench, small, long)));
    console.log('| admission review | | budget |\n|---|---|---|');
    for (const row of rows) console.log(`| ${row.join(' | ')} |`);
  } finally {
    bench.close();
  }
}

async function compare(bench: Bench, body: string) {
  const kinds = ['admits', 'webhook', 'constant'] as const;
  const rounds: Record<Served, { cpu: number; rate: number }>[] = [];
  // The first rounds are the compiler's.
  for (let round = -2; round < ROUNDS; round += 1) {
    const measured: Partial<Record<Served, { cpu: number; rate: number }>> = {};
    for (const kind of kinds) {
      const before = await bench.report(kind);
      const { done, seconds } = await bench.run(kind, { body, connections: CONNECTIONS, ms: ROUND_MS });
      const after = await bench.report(kind);
      measured[kind] = { cpu: (after.cpu - before.cpu) / done, rate: done / seconds };
    }
    if (round >= 0) rounds.push(measured as Record<Served, { cpu: number; rate: number }>);
  }
  return {
    floorUs: median(rounds.map(({ admits }) => admits.cpu * 1e6)),
    cpu: median(rounds.map(({ webhook, admits }) => webhook.cpu / admits.cpu)),
    ofConstant: median(rounds.map(({ webhook, constant }) => webhook.cpu / constant.cpu)),
    time: median(rounds.map(({ webhook, admits }) => admits.rate / webhook.rate)),
    rate: median(rounds.map(({ webhook }) => webhook.rate)),
  };
}

const PODS = 4000;
/** Few at a time: thousands that wait in memory would make each collection of garbage dearer than it is in a server. */
const BATCH = 100;

/** Microseconds of one call; each on a pod of its own, as it comes out of a parser, with an owner of its own if wanted. */
function decideUs(pod: Pod, owners: boolean): number {
  const text = JSON.stringify(pod);
  const config = { ...CONFIG, roots: ROOTS };
  const rounds: number[] = [];
  for (let round = -8; round < ROUNDS; round += 1) {
    let ms = 0;
    for (let from = 0; from < PODS; from += BATCH) {
      const pods = Array.from({ length: BATCH }, (_, n) => {
        const owner = createHash('sha256')
          .update(`${round} ${from + n}`)
          .digest('hex');
        return JSON.parse(owners ? text.replaceAll(OWNER_KEY, owner) : text) as Pod;
      });
      const begun = performance.now();
      for (const each of pods) if (!decide(each, 'shop', config).ok) throw new Error('refused');
      ms += performance.now() - begun;
    }
    if (round >= 0) rounds.push((ms * 1000) / PODS);
  }
  return median(rounds);
}

async function memory(bench: Bench, body: string, long: boolean): Promise<[string, string, string][]> {
  const task = { body, connections: MEMORY_CONNECTIONS };
  // The heap's young generation and the allocator's arenas take long to reach their size.
  await bench.run('webhook', { ...task, ms: long ? 3 * MEMORY_MS : MEMORY_MS });
  const before = await bench.report('webhook');
  const { done } = await bench.run('webhook', {
    ...task,
    ...(long ? { requests: 1_000_000 } : { ms: MEMORY_MS }),
  });
  const after = await bench.report('webhook');
  const of = (name: 'heapBytes' | 'residentBytes') =>
    `${(before[name] / 2 ** 20).toFixed(1)} -> ${(after[name] / 2 ** 20).toFixed(1)} MB`;
  const what = `${done.toLocaleString('en')} reviews through HTTPS`;
  return [
    [`heap before and after ${what}`, of('heapBytes'), 'no change'],
    [`resident before and after ${what}`, of('residentBytes'), 'no change'],
  ];
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
