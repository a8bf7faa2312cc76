import { diagnose } from '../../client/command/doctor/checks.ts';
import type { Read } from '../../client/command/doctor/read.ts';
import { ofKind, releaseObjects } from '../../client/command/doctor/release-objects.ts';
import type { Snapshot } from '../../client/command/doctor/snapshot.ts';
import { rootsToJson } from '../../formats/evidence/roots.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import { ROOTS_KEY } from '../../names/components.ts';
import type {
  CustomResourceDefinition,
  MutatingWebhookConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from '../../platform/kube/resources.ts';
import { fixtureRoots } from '../support/fixture-certificates.ts';

export const NAMESPACE = 'enclave-licensing';
/** When the fixtures' certificates are in time, Unix milliseconds. */
export const NOW = Date.parse('2026-06-01T00:00:00Z');

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
    server: { version: 'v1.36.3', date: NOW, asked: NOW, roundTripMs: 4 },
    release,
    nodes: good([]),
    namespaces: good([]),
    definitions: good(copy(ofKind<CustomResourceDefinition>(release, 'CustomResourceDefinition'))),
    mutating: good(configuration<MutatingWebhookConfiguration>('MutatingWebhookConfiguration')),
    validating: good(configuration<ValidatingWebhookConfiguration>('ValidatingWebhookConfiguration')),
    policies: good(copy(ofKind<ValidatingAdmissionPolicy>(release, 'ValidatingAdmissionPolicy'))),
    policyBindings: good(
      copy(ofKind<ValidatingAdmissionPolicyBinding>(release, 'ValidatingAdmissionPolicyBinding')),
    ),
    attestedNodes: good([]),
    networkPolicies: good([]),
    roleBindings: good([]),
    pods: good([]),
    events: good([]),
    leases: good([]),
    daemonSets: good([]),
    endpointSlices: good([]),
    roots: good({ metadata: { name: 'enclave-licensing-roots' }, data: { [ROOTS_KEY]: rootsToJson(roots) } }),
    findings: good(undefined),
    nodeLeases: good([]),
    logs: new Map(),
    rights: good([]),
    ownRights: good([]),
    admission: undefined,
    pinned: undefined,
    front: undefined,
  };
}

/** `check code about` of each finding, and `check unread line` of what could not be looked at. */
export function told(snapshot: Snapshot): string[] {
  return diagnose(snapshot).flatMap(({ check, findings, unread }) => [
    ...findings.map(({ code, about }) => `${check} ${code} ${about}`),
    ...unread.map((line) => `${check} unread ${line}`),
  ]);
}
