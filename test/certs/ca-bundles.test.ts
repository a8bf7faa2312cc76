import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { keepClusterCurrent } from '../../certs/start/keep-cluster-current.ts';
import { caBundle } from '../../certs/start/webhook-ca-bundles.ts';
import { rootsToJson } from '../../formats/evidence/roots.ts';
import { decodePem } from '../../formats/x509/pem.ts';
import { createHealth } from '../../platform/health/health.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import {
  MUTATING_WEBHOOK_CONFIGURATIONS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
} from '../../platform/kube/resources.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { until } from '../support/until.ts';
import { ensure, RELEASE, startTestCluster, type TestCluster } from './cluster.ts';

const [OLD, NEW, FORGED] = ['old', 'new', 'forged'].map((name) => createTestAuthority(name).root) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const REF = { name: 'enclave-licensing' };
const KINDS = [MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS] as const;

let cluster: TestCluster;
let kube: Kube;

beforeAll(async () => {
  cluster = await startTestCluster();
  kube = await cluster.as('enclave-certs');
});
afterAll(() => cluster?.close());

beforeEach(async () => {
  for (const kind of KINDS) {
    await cluster.admin.delete(kind, REF);
    await ensure(cluster.admin, kind, {
      metadata: REF,
      webhooks: ['one.enclave-licensing.dev', 'two.enclave-licensing.dev'].map((name) => ({
        name,
        clientConfig: { service: { name: 'enclave-webhook', namespace: RELEASE, path: '/' } },
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        // Matches nothing: only the bundle matters here.
        namespaceSelector: { matchLabels: { 'certs.test/none': 'true' } },
      })),
    });
  }
});

/** A certificate service as far as it writes into the cluster; `looks` counts what it asked for. */
function writer(systemRoots: () => readonly Uint8Array[]) {
  const { log, lines } = recordingLogger();
  const health = createHealth();
  const stop = new AbortController();
  let looks = 0;
  const counting: Kube = {
    ...kube,
    get: (...args) => {
      looks += 1;
      return kube.get(...args);
    },
  };
  const ended = keepClusterCurrent({
    kube: counting,
    log,
    health,
    signal: stop.signal,
    releaseNamespace: RELEASE,
    rootsJson: rootsToJson({
      system: [OLD],
      enclaves: [OLD],
      users: [OLD],
      'attestation-keys': [OLD],
    }),
    systemRoots,
    webhookConfigurations: [REF.name],
    now: () => Date.now(),
    address: '127.0.0.1',
    periodMs: 20,
  });
  return {
    lines,
    health,
    looks: () => looks,
    stop: async () => {
      stop.abort();
      await ended;
    },
  };
}

/** Roots in each caBundle, both kinds. */
async function bundles(): Promise<(Uint8Array[] | undefined)[]> {
  const found = await Promise.all(KINDS.map((kind) => cluster.admin.get(kind, REF)));
  return found.flatMap((configuration) =>
    (configuration?.webhooks ?? []).map(({ clientConfig }) => {
      const pem = decodePem('CERTIFICATE', Buffer.from(clientConfig.caBundle ?? '', 'base64').toString());
      return pem.ok ? pem.value : undefined;
    }),
  );
}

const all = (...roots: Uint8Array[]) => {
  const sorted = [...roots].sort((a, b) => Buffer.compare(a, b));
  return until(`caBundle of ${roots.length} roots`, async () => {
    const found = await bundles();
    return (
      found.length === 4 &&
      found.every(
        (each) =>
          each && Buffer.concat(each.sort((a, b) => Buffer.compare(a, b))).equals(Buffer.concat(sorted)),
      )
    );
  });
};

async function versions(): Promise<unknown> {
  const found = await Promise.all(KINDS.map((kind) => cluster.admin.get(kind, REF)));
  return found.map((configuration) => configuration?.metadata?.resourceVersion);
}

/** It looks so often again; the configurations stay what they are. */
async function nothingChanges(one: { looks(): number }): Promise<void> {
  const before = await versions();
  const goal = one.looks() + 12;
  await until('more looks', async () => one.looks() >= goal);
  expect(await versions()).toEqual(before);
}

test('follows the system root over a change: old, both while both are in use, new', async () => {
  let roots = [OLD];
  const one = writer(() => roots);
  await all(OLD);
  roots = [OLD, NEW];
  await all(OLD, NEW);
  roots = [NEW];
  await all(NEW);
  // None at all would make every public authority's webhook ours.
  roots = [];
  await until('the complaint', async () => one.lines.some((line) => line.includes('no system root')));
  await all(NEW);
  roots = [NEW];
  await one.stop();
});

test('what somebody empties, forges or adds by hand is mended, and then left', async () => {
  const one = writer(() => [OLD, NEW]);
  await all(OLD, NEW);
  for (const value of ['', caBundle([FORGED]), caBundle([OLD, NEW, FORGED]), caBundle([OLD])]) {
    for (const kind of KINDS)
      await cluster.admin.patch(
        kind,
        REF,
        [{ op: 'replace', path: '/webhooks/1/clientConfig/caBundle', value }],
        'json',
      );
    await all(OLD, NEW);
  }
  await nothingChanges(one);
  await one.stop();
});
