import { isDeepStrictEqual } from 'node:util';
import { MANAGED_LABEL } from '../../names/labels.ts';
import { HEALTH_PORT_NAME, SIDECAR_PORT_NAME } from '../../names/sidecar.ts';
import type { NetworkPolicy } from '../../platform/kube/resources.ts';
import type { KubeObject } from '../../platform/kube/wire.ts';
import type { LabelSelector } from './label-selector.ts';
import { MANAGER, OPEN_PORTS, wantedPolicy } from './wanted-policies.ts';

/** What is kept of a NetworkPolicy, whoever made it. */
export interface PolicyRecord extends KubeObject {
  /** Has our label and one of our names. */
  readonly ours: boolean;
  /** As the keeper would make it. */
  readonly intact: boolean;
  readonly selector: LabelSelector;
  /** What it opens beyond the sidecar's ports, in words; at most a few. */
  readonly opens: readonly string[];
}

type Port = { readonly port?: unknown; readonly endPort?: number; readonly protocol?: string };

const MAX_OPENINGS = 8;
const MAX_TERMS = 64;
const SIDECAR_PORT_NAMES: readonly unknown[] = [SIDECAR_PORT_NAME, HEALTH_PORT_NAME];

/** What the keeper has to know of a policy (networking.k8s.io/v1). */
export function policyRecord(policy: NetworkPolicy): PolicyRecord {
  const { name = '', namespace = '', uid, resourceVersion, labels } = policy.metadata ?? {};
  const wanted = wantedPolicy(namespace, name);
  const ours = wanted !== undefined && labels?.[MANAGED_LABEL] === MANAGER;
  return {
    metadata: {
      name,
      namespace,
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      // Whether there are any, and ours: an API server bounds neither their number nor their sum.
      ...(labels !== undefined && { labels: ours ? { [MANAGED_LABEL]: MANAGER } : {} }),
    },
    ours,
    intact: ours && isDeepStrictEqual(policy.spec, wanted.spec),
    selector: bounded(policy.spec?.podSelector ?? {}),
    opens: openings(policy),
  };
}

/** A selector of more terms than anybody writes is kept as one that takes every pod: it is asked of each pod at each look. */
function bounded(selector: LabelSelector): LabelSelector {
  const { matchLabels = {}, matchExpressions = [] } = selector;
  const values = matchExpressions.reduce((sum, each) => sum + (each.values?.length ?? 0), 0);
  return Object.keys(matchLabels).length + matchExpressions.length + values > MAX_TERMS ? {} : selector;
}

/** Policies add up: what one of them opens no other can close. */
function openings({ spec }: NetworkPolicy): string[] {
  // Without types a policy is at least about ingress.
  if (spec?.policyTypes?.includes('Ingress') === false) return [];
  const found = new Set<string>();
  for (const { ports } of spec?.ingress ?? [])
    if (ports === undefined || ports.length === 0) found.add('every port');
    else for (const port of ports) if (!isSidecarPort(port)) found.add(words(port));
  return [...found].slice(0, MAX_OPENINGS);
}

function isSidecarPort({ port, endPort, protocol = 'TCP' }: Port): boolean {
  if (protocol !== 'TCP') return false;
  if (typeof port !== 'number') return SIDECAR_PORT_NAMES.includes(port);
  return OPEN_PORTS.includes(port) && (endPort === undefined || endPort === port);
}

function words({ port, endPort, protocol = 'TCP' }: Port): string {
  if (port === undefined) return `every ${protocol} port`;
  return `${protocol} ${String(port)}${endPort === undefined ? '' : `-${endPort}`}`;
}
