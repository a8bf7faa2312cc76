import { expect, test } from 'vitest';
import type { PodAnswer, Snapshot } from '../../client/command/doctor/snapshot.ts';
import { INJECTION_LABEL } from '../../names/labels.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import {
  type Breakage,
  changed,
  good,
  mapped,
  NAMESPACE,
  soundSnapshot,
  time,
  told,
} from './doctor-snapshot.ts';

/** What runs, read back from the API server and broken. */

const DAY = 86_400_000;
const LINE = (msg: string): string =>
  `{"level":"info","msg":"begun"}\n{"level":"error","msg":${JSON.stringify(msg)}}\n`;

/** The named pod, changed. */
function pod({ pods }: Snapshot, name: string, change: (found: Pod) => void): Partial<Snapshot> {
  return {
    pods: changed(pods, (all) => {
      const found = all.find(({ metadata }) => metadata?.name === name);
      if (found) change(found);
    }),
  };
}

function unready(found: Pod): void {
  found.status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] };
}

function without({ pods }: Snapshot, name: string): Partial<Snapshot> {
  return { pods: mapped(pods, (all) => all.filter(({ metadata }) => metadata?.name !== name)) };
}

function admitted(
  { admission }: Snapshot,
  which: 'enclave' | 'forged',
  answer: PodAnswer,
): Partial<Snapshot> {
  return admission === undefined ? {} : { admission: { ...admission, [which]: good(answer) } };
}

const BROKEN: readonly Breakage[] = [
  ['a node without an agent', (s) => without(s, 'agent-n2'), ['agents agent-missing node n2']],
  [
    'an agent without a TPM, by its log',
    (s) => ({
      ...pod(s, 'agent-n2', unready),
      logs: new Map([['agent-n2', good(LINE('the TPM is of no use: no TPM at /dev/tpmrm0'))]]),
    }),
    ['agents tpm-missing node n2'],
  ],
  [
    'no TPM at all, by the kubelet',
    (s) => ({
      pods: changed(s.pods, (all) => {
        for (const each of all) if (each.metadata?.name?.startsWith('agent-')) unready(each);
      }),
      events: good(
        ['n1', 'n2'].map((node) => ({
          metadata: { name: 'e' },
          type: 'Warning',
          reason: 'FailedMount',
          message:
            'MountVolume.SetUp failed: hostPath type check failed: /dev/tpmrm0 is not a character device',
          involvedObject: { kind: 'Pod', name: `agent-${node}`, uid: `uid-agent-${node}` },
        })),
      ),
    }),
    ['agents tpm-missing node n1', 'agents tpm-missing node n2', 'agents no-tpm-anywhere the cluster'],
  ],
  [
    'an agent that is not enrolled',
    (s) => ({
      ...pod(s, 'agent-n1', unready),
      logs: new Map([['agent-n1', good(LINE('not enrolled: ek-untrusted'))]]),
    }),
    ['agents agent-not-ready node n1'],
  ],
  [
    'an emulated TPM',
    ({ attestedNodes }) => ({
      attestedNodes: changed(attestedNodes, ([first]) => {
        if (first?.spec) first.spec.tpmTrust = 'emulated';
      }),
    }),
    ['tpms tpm-emulated node n1'],
  ],
  [
    'an attestation key that was not renewed',
    ({ attestedNodes }) => ({
      attestedNodes: changed(attestedNodes, ([first, second]) => {
        if (first)
          first.status = { attestationKeys: [{ spkiSha256: '', serial: '', notAfter: time(9 * DAY) }] };
        if (second) second.status = { attestationKeys: [{ spkiSha256: '', serial: '', notAfter: time(-1) }] };
      }),
    }),
    ['tpms attestation-key-ending node n1', 'tpms attestation-key-ended node n2'],
  ],
  [
    'an AttestedNode deleted',
    ({ attestedNodes }) => ({ attestedNodes: mapped(attestedNodes, (all) => all.slice(0, 1)) }),
    ['tpms node-not-attested node n2'],
  ],
  ['no launcher', (s) => without(s, 'launcher-1'), ['components component-missing enclave-launcher']],
  [
    'a front that is not ready',
    (s) => pod(s, 'front-1', unready),
    ['components component-not-ready pod front-1'],
  ],
  [
    'a Service that leads nowhere',
    ({ endpointSlices }) => ({
      endpointSlices: changed(endpointSlices, ([first]) => {
        if (first) first.endpoints = [];
      }),
    }),
    ['components component-unreachable Service enclave-certs'],
  ],
  [
    'two versions',
    (s) =>
      pod(s, 'webhook-1', ({ metadata }) => {
        if (metadata?.labels) metadata.labels['app.kubernetes.io/version'] = '0.2.0';
      }),
    ['components versions-differ the release'],
  ],
  [
    'a launcher that knows another sidecar',
    (s) =>
      pod(s, 'launcher-1', ({ spec }) => {
        if (spec?.containers[0])
          spec.containers[0].args = [
            '--sidecar-image=other',
            '--enclave-domain=e.test',
            '--namespaces=enclaves',
          ];
      }),
    ['components settings-differ the release'],
  ],
  [
    'no leader',
    ({ leases }) => ({
      leases: changed(leases, ([first, second]) => {
        if (first?.spec) first.spec.holderIdentity = '';
        if (second?.spec) second.spec.renewTime = time(-60_000);
      }),
    }),
    ['leaders no-leader Lease enclave-certs', 'leaders no-leader Lease enclave-webhook'],
  ],
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
