import { expect, test } from 'vitest';
import { diagnose } from '../../client/command/doctor/checks.ts';
import type { PodAnswer, Snapshot } from '../../client/command/doctor/snapshot.ts';
import { INJECTION_LABEL } from '../../names/labels.ts';
import { type Breakage, changed, good, NAMESPACE, soundSnapshot, time, told } from './doctor-snapshot.ts';

/** What surrounds the components, read back from the API server and broken; and what may not be read. */

function admitted(
  { admission }: Snapshot,
  which: 'enclave' | 'forged',
  answer: PodAnswer,
): Partial<Snapshot> {
  return admission === undefined ? {} : { admission: { ...admission, [which]: good(answer) } };
}

const BROKEN: readonly Breakage[] = [
  [
    'a pod let through bare',
    (s) => admitted(s, 'enclave', { admitted: true, pod: { spec: { containers: [] } } }),
    ['admission admission-not-injecting pods in namespace enclaves'],
  ],
  [
    'a webhook that is down',
    (s) =>
      admitted(s, 'enclave', {
        admitted: false,
        message: 'failed calling webhook "self-deployed": connection refused',
      }),
    ['admission admission-refuses pods in namespace enclaves'],
  ],
  [
    'a forged pod let through',
    (s) => admitted(s, 'forged', { admitted: true, pod: { spec: { containers: [] } } }),
    ['admission admission-not-refusing pods in namespace enclaves'],
  ],
  [
    'policies that nobody evaluates',
    (s) =>
      admitted(s, 'forged', {
        admitted: false,
        message: 'admission webhook "pods.enclave-licensing.dev" denied the request: reserved',
      }),
    ['admission policies-not-in-force pods in namespace enclaves'],
  ],
  [
    'a sidecar of a template of the future',
    (s) =>
      admitted(s, 'enclave', {
        admitted: true,
        pod: {
          ...(s.admission?.enclave.ok && s.admission.enclave.value.admitted
            ? s.admission.enclave.value.pod
            : {}),
          metadata: { annotations: { 'enclave-licensing.dev/injected': '9 sha256:00 sha256:00' } },
        },
      }),
    ['admission template-unknown pods in namespace enclaves'],
  ],
  [
    'labels where they must not be',
    ({ namespaces }) => ({
      namespaces: changed(namespaces, (all) => {
        for (const { metadata } of all)
          if (metadata)
            metadata.labels = metadata.name === 'kube-system' ? { [INJECTION_LABEL]: 'enabled' } : {};
      }),
    }),
    [
      'namespaces namespace-excluded namespace kube-system',
      'namespaces no-namespace the cluster',
      'namespaces namespace-not-labelled namespace enclaves',
    ],
  ],
  [
    'Pod Security that keeps agents out',
    ({ namespaces }) => ({
      namespaces: changed(namespaces, ([release]) => {
        if (release?.metadata)
          release.metadata.labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
      }),
    }),
    [`namespaces namespace-excluded namespace ${NAMESPACE}`],
  ],
  [
    'a launcher without rights',
    () => ({ roleBindings: good([]) }),
    ['namespaces launcher-not-bound namespace enclaves'],
  ],
  [
    'no network policies',
    () => ({ networkPolicies: good([]) }),
    ['namespaces network-policy-missing namespace enclaves'],
  ],
  [
    'what the keeper found',
    () => ({
      findings: good({
        data: {
          summary: `findings: 1; looked at ${time(-30_000)} by webhook-1`,
          findings: 'shop/web-1 Pod sidecar-missing: No enclave, though labelled as one.\n',
        },
      }),
    }),
    ['findings keeper-finding shop/web-1 Pod sidecar-missing'],
  ],
  [
    'a keeper that is silent',
    () => ({ findings: good(undefined) }),
    ['findings keeper-silent ConfigMap enclave-licensing-findings'],
  ],
  [
    'a clock that is wrong here',
    ({ server }) => ({ server: { ...server, asked: server.asked + 90_000 } }),
    ['clocks clock-differs this machine'],
  ],
  [
    'clocks that are wrong on nodes',
    ({ nodeLeases }) => ({
      nodeLeases: changed(nodeLeases, ([first, second]) => {
        if (first?.spec) first.spec.renewTime = time(3_600_000);
        if (second?.spec) second.spec.renewTime = time(-300_000);
      }),
    }),
    ['clocks clock-differs node n1', 'clocks clock-differs node n2'],
  ],
  [
    'rights that were taken',
    () => ({
      rights: good([
        {
          who: 'enclave-certs',
          verb: 'sign',
          group: 'certificates.k8s.io',
          resource: 'signers',
          name: 'x',
          allowed: false,
        },
        { who: 'enclave-agent', verb: 'create', group: '', resource: 'tokenreviews', allowed: false },
        { who: 'enclave-agent', verb: 'list', group: '', resource: 'pods', allowed: true },
      ]),
      ownRights: good([{ who: 'you', verb: 'list', group: '', resource: 'nodes', allowed: false }]),
    }),
    [
      'rights signer-right-missing service account enclave-certs',
      'rights right-missing service account enclave-agent',
      'rights own-right-missing you',
    ],
  ],
  [
    'a front that nobody reaches',
    () => ({
      front: { address: 'f:1', answer: { ok: false, reason: 'failed', message: 'nothing listens' } },
    }),
    ['front front-unreachable front at f:1'],
  ],
  [
    'a front of somebody else, with an old document',
    ({ front }) => ({
      ...(front?.answer.ok && {
        front: { ...front, answer: good({ ...front.answer.value, authenticated: false, issuedAt: 0 }) },
      }),
    }),
    ['front front-foreign front at front.test:443', 'front trust-document-old front at front.test:443'],
  ],
];

test.each(BROKEN)('%s', (_, breakIt, expected) => {
  const sound = soundSnapshot();
  expect(told({ ...sound, ...breakIt(sound) })).toEqual(expected);
});

test('nothing that may be read: each check says what it could not look at, and none says that all is well', () => {
  const sound = soundSnapshot();
  const closed = Object.fromEntries(
    Object.entries(sound).map(([key, value]) => [
      key,
      typeof value === 'object' && value !== null && 'ok' in value
        ? { ok: false, reason: 'forbidden', message: 'forbidden' }
        : value,
    ]),
  ) as unknown as Snapshot;
  const lines = told(closed);
  expect(lines.filter((line) => !/^\w+ unread .*: forbidden$/.test(line))).toEqual([]);
  const checks = new Set(lines.map((line) => line.split(' ')[0]));
  expect([...checks].sort()).toEqual([
    ...['admission', 'agents', 'clocks', 'components', 'definitions', 'findings', 'kubernetes', 'leaders'],
    ...['namespaces', 'policies', 'rights', 'roots', 'tpms', 'webhooks'],
  ]);
});

test('a clock that is a little wrong is a warning, one that is far off a problem', () => {
  const sound = soundSnapshot();
  const severity = (apart: number): string[] =>
    diagnose({ ...sound, server: { ...sound.server, asked: sound.server.asked + apart } }).flatMap(
      ({ findings }) => findings.map((each) => `${each.severity} ${each.code}`),
    );
  expect(severity(4_000)).toEqual([]);
  expect(severity(12_000)).toEqual(['warning clock-differs']);
  expect(severity(-60_000)).toEqual(['problem clock-differs']);
});
