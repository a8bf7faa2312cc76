import type { Json, JsonObject } from '../formats/bytes/json.ts';
import { isKubeletTokenMount, kubeletTokenVolumes } from './kubelet-token.ts';
import type { Container, PodSpec, VolumeMount } from './pod.ts';
import { parseQuantity } from './quantity.ts';

type Members = Readonly<Record<string, unknown>>;

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Values that an API server writes where an author wrote nothing (k8s.io/kubernetes, pkg/apis/core/v1/defaults.go). */
const DEFAULTS: Readonly<Record<string, readonly unknown[]>> = {
  apiVersion: ['v1'],
  audience: [''],
  defaultMode: [420],
  divisor: ['0'],
  expirationSeconds: [3600],
  medium: [''],
  prefix: [''],
  procMount: ['Default'],
  readOnly: [false],
  seLinuxChangePolicy: ['MountOption'],
  subPath: [''],
  subPathExpr: [''],
  type: [''],
  value: [''],
  volumeMode: ['Filesystem'],
};

/** Members whose own names and values are their author's, and nobody's defaults: they stay as they are. */
const FREE_FORM: ReadonlySet<string> = new Set([
  'annotations',
  'labels',
  'matchLabels',
  'options',
  'volumeAttributes',
]);

/** Without defaults, nulls and what is empty; quantities by value. What is left is the same before and after storage. */
function normal(value: unknown): Json | undefined {
  if (Array.isArray(value)) {
    const items = value.map((item) => normal(item) ?? null);
    return items.length > 0 ? items : undefined;
  }
  if (isMembers(value)) {
    const members: [string, Json][] = [];
    for (const [name, member] of Object.entries(value)) {
      if (Object.hasOwn(DEFAULTS, name) && DEFAULTS[name]?.includes(member)) continue;
      const normalised = FREE_FORM.has(name)
        ? verbatim(member)
        : name === 'sizeLimit' || name === 'divisor'
          ? quantity(member)
          : normal(member);
      if (normalised !== undefined) members.push([name, normalised]);
    }
    return members.length > 0 ? Object.fromEntries(members) : undefined;
  }
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  return undefined;
}

/** A map of strings to strings; an empty one is none. */
function verbatim(value: unknown): Json | undefined {
  if (!isMembers(value)) return normal(value);
  const strings = Object.entries(value).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return strings.length > 0 ? Object.fromEntries(strings) : undefined;
}

function quantity(value: unknown): Json | undefined {
  const parsed = typeof value === 'string' ? parseQuantity(value) : undefined;
  return parsed === undefined ? normal(value) : parsed.toString();
}

function mounts(container: Container, tokens: ReadonlySet<string>): VolumeMount[] {
  return (container.volumeMounts ?? []).filter((mount) => !isKubeletTokenMount(mount, tokens));
}

const HOOKS = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;

/** Commands that the kubelet runs in the container beside its own: they are code as well. */
function hooks(container: Container): Members {
  const found: Record<string, unknown> = {};
  const take = (name: string, hook: unknown) => {
    if (isMembers(hook) && isMembers(hook['exec'])) found[name] = hook['exec']['command'];
  };
  for (const name of HOOKS) take(name, container[name]);
  if (isMembers(container.lifecycle))
    for (const name of ['postStart', 'preStop']) take(name, container.lifecycle[name]);
  return found;
}

function container(each: Container, tokens: ReadonlySet<string>): Json {
  return (
    normal({
      name: each.name,
      image: each.image,
      restartPolicy: each.restartPolicy,
      command: each.command,
      args: each.args,
      workingDir: each.workingDir === '' ? undefined : each.workingDir,
      env: each.env,
      envFrom: each.envFrom,
      volumeMounts: mounts(each, tokens),
      volumeDevices: each.volumeDevices,
      securityContext: each.securityContext,
      hooks: hooks(each),
    }) ?? null
  );
}

/**
 * What of a pod's spec decides which code runs in it and what that code can reach, in a form that an API server's
 * defaulting does not change: per container its image, command, arguments, environment, mounts, security context and
 * hooks; volumes; the pod's security context and host flags. Left out: the kubelet's own token (`kube-api-access-*`),
 * scheduling, resources, ports, probes but their commands, names that admission fills in.
 */
export function projection(spec: PodSpec): JsonObject {
  const flags: Record<string, Json> = {};
  for (const flag of ['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace'] as const)
    if (spec[flag] === true) flags[flag] = true;
  if (spec.hostUsers === false) flags['hostUsers'] = false;
  const tokens = kubeletTokenVolumes(spec);
  const volumes = (spec.volumes ?? []).filter(({ name }) => !tokens.has(name));
  const all = (containers: PodSpec['containers']): Json[] =>
    (containers ?? []).map((each) => container(each, tokens));
  return {
    v: 'enclave-spec/1',
    initContainers: all(spec.initContainers),
    containers: all(spec.containers),
    ephemeralContainers: all(spec.ephemeralContainers),
    volumes: normal(volumes) ?? [],
    securityContext: normal(spec.securityContext) ?? {},
    flags,
  };
}
