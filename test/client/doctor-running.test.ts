import { expect, test } from 'vitest';
import type { Snapshot } from '../../client/command/doctor/snapshot.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import { type Breakage, changed, good, mapped, soundSnapshot, time, told } from './doctor-snapshot.ts';

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
    'another version than this program’s',
    () => ({ version: '0.0.9' }),
    ['components versions-differ enclavectl'],
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
    'a front of other names than its certificate',
    (s) =>
      pod(s, 'front-1', ({ spec }) => {
        if (spec?.containers[0]) spec.containers[0].args = ['--public-names=licensing.example'];
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
];

test.each(BROKEN)('%s', (_, breakIt, expected) => {
  const sound = soundSnapshot();
  expect(told({ ...sound, ...breakIt(sound) })).toEqual(expected);
});
