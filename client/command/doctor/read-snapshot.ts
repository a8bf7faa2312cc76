import { parseRoots } from '../../../formats/evidence/roots.ts';
import { ROOTS_CONFIG_MAP, ROOTS_KEY } from '../../../names/components.ts';
import { VERSION } from '../../../names/version.ts';
import { ATTESTED_NODES } from '../../../platform/kube/attested-nodes.ts';
import type { Kube, ListOptions } from '../../../platform/kube/kube.ts';
import {
  CONFIG_MAPS,
  type ConfigMap,
  CUSTOM_RESOURCE_DEFINITIONS,
  DAEMON_SETS,
  ENDPOINT_SLICES,
  EVENTS,
  LEASES,
  MUTATING_WEBHOOK_CONFIGURATIONS,
  NAMESPACES,
  NETWORK_POLICIES,
  NODES,
  PODS,
  ROLE_BINDINGS,
  VALIDATING_ADMISSION_POLICIES,
  VALIDATING_ADMISSION_POLICY_BINDINGS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
} from '../../../platform/kube/resources.ts';
import type { ServerVersion } from '../../../platform/kube/server-version.ts';
import type { KubeObject, Resource } from '../../../platform/kube/wire.ts';
import { attempt, type Read } from './read.ts';
import { readAdmission } from './read-admission.ts';
import { type FrontAsked, readFront } from './read-front.ts';
import { readLogs } from './read-logs.ts';
import { readOwnRights, readRights } from './read-rights.ts';
import { releaseObjects } from './release-objects.ts';
import type { Front, Snapshot } from './snapshot.ts';

/** Name of both webhook configurations. */
const CONFIGURATION = 'enclave-licensing';
/** What the webhook's keeper found, in the release's namespace. */
const FINDINGS_CONFIG_MAP = 'enclave-licensing-findings';
const NODE_LEASES = 'kube-node-lease';

export interface SnapshotOptions {
  readonly kube: Kube;
  readonly namespace: string;
  readonly server: ServerVersion;
  readonly pinned: Snapshot['pinned'];
  /** Undefined when no server is given. */
  readonly front: FrontAsked | undefined;
  readonly signal: AbortSignal;
}

/** Reads everything that the checks judge, at once, each answer within its limit. What cannot be read is said in its place. */
export async function readSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const { kube, namespace, server, pinned } = options;
  const release = releaseObjects(namespace);
  const all = <T extends KubeObject>(
    resource: Resource<T>,
    where: ListOptions = {},
  ): Promise<Read<readonly T[]>> => attempt(async () => (await kube.list(resource, where)).items);
  const one = <T extends KubeObject>(
    resource: Resource<T>,
    name: string,
    place?: string,
  ): Promise<Read<T | undefined>> =>
    attempt(() => kube.get(resource, { name, ...(place !== undefined && { namespace: place }) }));
  const here = { namespace };
  const namespaces = all(NAMESPACES);
  const pods = all(PODS, here);
  const roots = one(CONFIG_MAPS, ROOTS_CONFIG_MAP, namespace);
  const read = {
    nodes: all(NODES),
    definitions: all(CUSTOM_RESOURCE_DEFINITIONS),
    mutating: one(MUTATING_WEBHOOK_CONFIGURATIONS, CONFIGURATION),
    validating: one(VALIDATING_WEBHOOK_CONFIGURATIONS, CONFIGURATION),
    policies: all(VALIDATING_ADMISSION_POLICIES),
    policyBindings: all(VALIDATING_ADMISSION_POLICY_BINDINGS),
    attestedNodes: all(ATTESTED_NODES),
    networkPolicies: all(NETWORK_POLICIES),
    roleBindings: all(ROLE_BINDINGS),
    events: all(EVENTS, here),
    leases: all(LEASES, here),
    daemonSets: all(DAEMON_SETS, here),
    endpointSlices: all(ENDPOINT_SLICES, here),
    roots,
    findings: one(CONFIG_MAPS, FINDINGS_CONFIG_MAP, namespace),
    nodeLeases: all(LEASES, { namespace: NODE_LEASES }),
    rights: readRights(kube, release),
    ownRights: readOwnRights(kube, release),
    admission: namespaces.then((found) => readAdmission(kube, found, namespace)),
    logs: pods.then((found) => readLogs(kube, namespace, found)),
    front: roots.then((found) => readFrontIfAny(options, found)),
  };
  const entries = await Promise.all(
    Object.entries({ ...read, namespaces, pods }).map(async ([key, value]) => [key, await value] as const),
  );
  const values = Object.fromEntries(entries) as {
    [K in keyof typeof read]: Awaited<(typeof read)[K]>;
  } & { namespaces: Awaited<typeof namespaces>; pods: Awaited<typeof pods> };
  return { namespace, server, version: VERSION, release, pinned, ...values };
}

/** Front is judged by the roots that are pinned here, or else by those that the cluster publishes. */
async function readFrontIfAny(
  { front, pinned, signal }: SnapshotOptions,
  published: Read<ConfigMap | undefined>,
): Promise<Front | undefined> {
  if (front === undefined) return undefined;
  const roots = parseRoots(pinned?.text ?? (published.ok ? published.value?.data?.[ROOTS_KEY] : '') ?? '');
  return readFront(front, roots.ok ? roots.value : undefined, signal);
}
