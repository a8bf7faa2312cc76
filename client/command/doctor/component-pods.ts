import { binaryName, type Component } from '../../../names/components.ts';
import type { Event, Pod } from '../../../platform/kube/resources.ts';
import type { Snapshot } from './snapshot.ts';

/** Pods of a component that are not on their way out. */
export function podsOf({ pods }: Snapshot, component: Component): readonly Pod[] {
  return (pods.ok ? pods.value : []).filter(
    ({ metadata, status }) =>
      metadata?.labels?.['app.kubernetes.io/name'] === binaryName(component) &&
      metadata.deletionTimestamp === undefined &&
      status?.phase !== 'Succeeded' &&
      status?.phase !== 'Failed',
  );
}

/** Value of a flag in one of the pod's containers, written `--name=value`. */
export function flagOf(pod: Pod, name: string): string | undefined {
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  const found = containers.flatMap(({ args = [] }) => args).find((each) => each.startsWith(`--${name}=`));
  return found?.slice(name.length + 3);
}

/** A container that is not to blame. */
const WAITS = ['ContainerCreating', 'PodInitializing'];
/** Lines of a log that say so much; the same once. */
const LINES = 3;
const MAX_LINE = 400;

/** Why a pod is not ready, in the words of the scheduler, the kubelet or its own log; empty when none of them says. */
export function whyNotReady(pod: Pod, snapshot: Snapshot): string {
  const said = [
    ...(pod.status?.conditions ?? [])
      .filter(({ type, status }) => type === 'PodScheduled' && status === 'False')
      .map(({ message = 'it is on no node' }) => message),
    ...[...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].flatMap(
      ({ state, lastState }) => {
        const ended = state?.terminated ?? lastState?.terminated;
        return [
          ...(state?.waiting?.reason === undefined || WAITS.includes(state.waiting.reason)
            ? []
            : [`${state.waiting.reason}: ${state.waiting.message ?? ''}`]),
          ...(ended?.message === undefined ? [] : [ended.message.trim()]),
        ];
      },
    ),
    ...eventsOf(pod, snapshot),
    ...lastWords(pod, snapshot),
  ];
  return [...new Set(said.filter((each) => each !== ''))]
    .slice(0, LINES)
    .map((each) => each.slice(0, MAX_LINE))
    .join('; ');
}

/** The newest warning about it. That a probe failed says no more than that it is not ready. */
function eventsOf(pod: Pod, { events }: Snapshot): string[] {
  const newest = (events.ok ? events.value : [])
    .filter(({ involvedObject, type, reason }) => {
      if (type !== 'Warning' || reason === 'Unhealthy' || reason === 'BackOff') return false;
      return involvedObject.kind === 'Pod' && involvedObject.name === pod.metadata?.name;
    })
    .filter(({ involvedObject: { uid } }) => uid === undefined || uid === pod.metadata?.uid)
    .sort((a, b) => timeOfEvent(b).localeCompare(timeOfEvent(a)))[0];
  return newest === undefined ? [] : [`${newest.reason}: ${newest.message}`];
}

function timeOfEvent({ lastTimestamp, eventTime, metadata }: Event): string {
  return lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? '';
}

/** What it complained of last: warnings and errors of its log, the newest first; of a process that could not begin, its last line. */
function lastWords(pod: Pod, { logs }: Snapshot): string[] {
  const log = logs.get(pod.metadata?.name ?? '');
  if (log?.ok !== true) return [];
  const lines = log.value.split('\n').filter((line) => line.trim() !== '');
  const messages = lines.map(complaint).filter((each) => each !== undefined);
  if (messages.length === 0 && lines.at(-1)?.startsWith('{') === false) return [lines.at(-1) ?? ''];
  return [...new Set(messages.reverse())];
}

function complaint(line: string): string | undefined {
  try {
    const entry: unknown = JSON.parse(line);
    if (typeof entry !== 'object' || entry === null || !('msg' in entry) || !('level' in entry))
      return undefined;
    if (entry.level !== 'warn' && entry.level !== 'error') return undefined;
    const reason = 'reason' in entry ? `: ${String(entry.reason)}` : '';
    return `${String(entry.msg)}${reason}`;
  } catch {
    return undefined;
  }
}
