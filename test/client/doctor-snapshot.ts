import { diagnose } from '../../client/command/doctor/checks.ts';
import type { Read } from '../../client/command/doctor/read.ts';
import { ofKind, releaseObjects } from '../../client/command/doctor/release-objects.ts';
import type { Snapshot } from '../../client/command/doctor/snapshot.ts';
import { rootsToJson } from '../../formats/evidence/roots.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import { ROOTS_KEY } from '../../names/components.ts';
import { INJECTED_ANNOTATION, INJECTION_LABEL, MANAGED_LABEL } from '../../names/labels.ts';
import type {
  CustomResourceDefinition,
  EndpointSlice,
  Lease,
  MutatingWebhookConfiguration,
  Namespace,
  Node,
  Pod,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from '../../platform/kube/resources.ts';
import { fixtureRoots } from '../support/fixture-certificates.ts';

export const NAMESPACE = 'enclave-licensing';
/** When the fixtures' certificates are in time, Unix milliseconds. */
export const NOW = Date.parse('2026-06-01T00:00:00Z');

const NODES = ['n1', 'n2'];
const DAY_MS = 86_400_000;
const PCRS = 'sha256:0,1,2,3,4,5,6,7';
export const SIDECAR = `registry.test/enclave-sidecar@sha256:${'1'.repeat(64)}`;

/** RFC 3339, so many milliseconds from then. */
export function time(fromNow: number): string {
  return new Date(NOW + fromNow).toISOString();
}

function node(name: string): Node {
  return { metadata: { name }, status: { nodeInfo: { kubeletVersion: 'v1.36.3' } as never } };
}

function namespace(name: string, labels: Record<string, string> = {}): Namespace {
  return { metadata: { name, labels } };
}

function lease(name: string, fromNow: number): Lease {
  return {
    metadata: { name, namespace: NAMESPACE },
    spec: { holderIdentity: `${name}-holder`, leaseDurationSeconds: 8, renewTime: time(fromNow) },
  };
}

function endpointSlice(component: string): EndpointSlice {
  const name = `enclave-${component}`;
  return {
    metadata: { name: `${name}-x`, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true } }],
  };
}

function pod(component: string, name: string, args: string[], nodeName = 'n1'): Pod {
  return {
    metadata: {
      name,
      namespace: NAMESPACE,
      uid: `uid-${name}`,
      labels: { 'app.kubernetes.io/name': component, 'app.kubernetes.io/version': '0.1.0' },
    },
    spec: { nodeName, containers: [{ name: component, args }] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  };
}

export function good<T>(value: T): Read<T> {
  return { ok: true, value };
}

/** An API server keeps copies. */
export function copy<T>(value: T): T {
  return structuredClone(value);
}

/** An installation with nothing wrong, as an API server would show it: a new one each time, to be broken. */
export function soundSnapshot(): Snapshot {
  const release = releaseObjects(NAMESPACE);
  const roots = fixtureRoots();
  const caBundle = Buffer.from(roots.system.map((der) => encodePem('CERTIFICATE', der)).join('')).toString(
    'base64',
  );
  const configuration = <T extends MutatingWebhookConfiguration | ValidatingWebhookConfiguration>(
    kind: string,
  ): T | undefined => {
    const [wanted] = ofKind<T>(release, kind);
    const made = copy(wanted);
    for (const webhook of made?.webhooks ?? []) webhook.clientConfig.caBundle = caBundle;
    return made;
  };
  return {
    namespace: NAMESPACE,
    version: '0.1.0',
    server: { version: 'v1.36.3', date: NOW, asked: NOW, roundTripMs: 4 },
    release,
    nodes: good(NODES.map(node)),
    namespaces: good([
      namespace(NAMESPACE),
      namespace('kube-system'),
      namespace('enclaves', { [INJECTION_LABEL]: 'enabled' }),
    ]),
    definitions: good(copy(ofKind<CustomResourceDefinition>(release, 'CustomResourceDefinition'))),
    mutating: good(configuration<MutatingWebhookConfiguration>('MutatingWebhookConfiguration')),
    validating: good(configuration<ValidatingWebhookConfiguration>('ValidatingWebhookConfiguration')),
    policies: good(copy(ofKind<ValidatingAdmissionPolicy>(release, 'ValidatingAdmissionPolicy'))),
    policyBindings: good(
      copy(ofKind<ValidatingAdmissionPolicyBinding>(release, 'ValidatingAdmissionPolicyBinding')),
    ),
    attestedNodes: good(
      NODES.map((name) => ({
        metadata: { name },
        spec: { node: name, ekSha256: 'ab'.repeat(32), tpmTrust: 'vendor-root' as const },
        status: {
          attestationKeys: [{ spkiSha256: 'cd'.repeat(32), serial: '01', notAfter: time(80 * DAY_MS) }],
        },
      })),
    ),
    networkPolicies: good(
      ['enclave-licensing-launched', 'enclave-licensing-self-deployed'].map((name) => ({
        metadata: { name, namespace: 'enclaves', labels: { [MANAGED_LABEL]: 'enclave-webhook' } },
      })),
    ),
    roleBindings: good([
      {
        metadata: { name: 'enclave-launcher', namespace: 'enclaves' },
        roleRef: { apiGroup: '', kind: 'ClusterRole', name: 'enclave-launcher-namespace' },
        subjects: [{ kind: 'ServiceAccount', name: 'enclave-launcher', namespace: NAMESPACE }],
      },
    ]),
    pods: good([
      pod('enclave-certs', 'certs-1', ['--enclave-domain=e.test', '--trust-domain=t.test', `--pcrs=${PCRS}`]),
      pod('enclave-webhook', 'webhook-1', ['--enclave-domain=e.test', `--sidecar-image=${SIDECAR}`]),
      pod('enclave-launcher', 'launcher-1', [
        '--enclave-domain=e.test',
        `--sidecar-image=${SIDECAR}`,
        '--namespaces=enclaves',
      ]),
      pod('enclave-front', 'front-1', []),
      ...NODES.map((name) =>
        pod(
          'enclave-agent',
          `agent-${name}`,
          ['--enclave-domain=e.test', '--trust-domain=t.test', `--sidecar-images=${SIDECAR},old@sha256:0`],
          name,
        ),
      ),
    ]),
    events: good([]),
    leases: good(['enclave-certs', 'enclave-webhook'].map((name) => lease(name, -2_000))),
    daemonSets: good([]),
    endpointSlices: good(['certs', 'webhook', 'launcher', 'front'].map(endpointSlice)),
    roots: good({ metadata: { name: 'enclave-licensing-roots' }, data: { [ROOTS_KEY]: rootsToJson(roots) } }),
    findings: good({
      data: { summary: `findings: 0; looked at ${time(-30_000)} by webhook-1`, findings: '' },
    }),
    nodeLeases: good(NODES.map((name) => lease(name, -4_000))),
    logs: new Map(),
    rights: good([]),
    ownRights: good([]),
    admission: {
      namespace: 'enclaves',
      enclave: good({
        admitted: true,
        pod: {
          metadata: { annotations: { [INJECTED_ANNOTATION]: '3 sha256:00 sha256:00' } },
          spec: { containers: [], initContainers: [{ name: 'enclave-sidecar', image: SIDECAR }] },
        },
      }),
      forged: good({
        admitted: false,
        message: "pods is forbidden: ValidatingAdmissionPolicy 'prefix.enclave-licensing.dev' denied request",
      }),
    },
    pinned: undefined,
    front: {
      address: 'front.test:443',
      answer: good({
        authenticated: true,
        vouched: true,
        issuedAt: NOW / 1000 - 20,
        rootsSha256: '',
        pcrs: PCRS,
      }),
    },
  };
}

/** `check code about` of each finding, and `check unread line` of what could not be looked at. */
export function told(snapshot: Snapshot): string[] {
  return diagnose(snapshot).flatMap(({ check, findings, unread }) => [
    ...findings.map(({ code, about }) => `${check} ${code} ${about}`),
    ...unread.map((line) => `${check} unread ${line}`),
  ]);
}

/** What is broken, how, and what is told of it. */
export type Breakage = readonly [string, (sound: Snapshot) => Partial<Snapshot>, readonly string[]];

/** What was read, with something else in its place. */
export function mapped<T>(read: { ok: boolean; value?: T }, change: (value: T) => T) {
  return good(change(copy(read.value as T)));
}

/** The same, changed in place. */
export function changed<T>(read: { ok: boolean; value?: T }, change: (value: T) => void) {
  return mapped(read, (value) => {
    change(value);
    return value;
  });
}
