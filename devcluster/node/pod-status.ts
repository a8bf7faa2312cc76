import type { ContainerStatus, Pod, PodCondition, PodStatus } from './pod.ts';
import { type Role, restarts } from './restart-policy.ts';

export interface ContainerReport {
  readonly role: Role;
  readonly status: ContainerStatus;
}

export interface PodReport {
  readonly containers: readonly ContainerReport[];
  readonly podIP: string;
  readonly hostIP: string;
  /** RFC 3339. */
  readonly startTime: string;
  readonly now: string;
  /** All volumes are there and the address is taken. */
  readonly sandboxReady: boolean;
  /** The pod is being deleted. */
  readonly terminating: boolean;
}

/** The status a kubelet would write for what its containers do (Kubernetes, "Pod Lifecycle"). */
export function podStatus(pod: Pod, report: PodReport): PodStatus {
  const of = (...roles: Role[]): ContainerStatus[] =>
    report.containers.filter((each) => roles.includes(each.role)).map((each) => each.status);
  const init = of('init', 'sidecar');
  const phase = phaseOf(pod, report);
  return {
    ...pod.status,
    phase,
    startTime: pod.status?.startTime ?? report.startTime,
    hostIP: report.hostIP,
    hostIPs: [{ ip: report.hostIP }],
    podIP: report.podIP,
    podIPs: [{ ip: report.podIP }],
    conditions: conditionsOf(pod, report, phase),
    ...(init.length > 0 && { initContainerStatuses: init.map(withInitReady) }),
    containerStatuses: of('app'),
  };
}

/** An init container is `ready` when it has done its work. */
function withInitReady(status: ContainerStatus): ContainerStatus {
  return status.state.terminated?.exitCode === 0 && !status.ready ? { ...status, ready: true } : status;
}

function isInitialized({ role, status }: ContainerReport): boolean {
  if (role === 'sidecar') return status.started;
  return role === 'init' ? status.state.terminated?.exitCode === 0 : true;
}

function phaseOf(pod: Pod, { containers, terminating }: PodReport): string {
  // What ends while the pod is being deleted is not started again (kubelets write the last phase before the object goes).
  const policy = terminating ? 'Never' : pod.spec.restartPolicy;
  const ended = (each: ContainerReport): boolean =>
    each.status.state.terminated !== undefined &&
    !restarts(each.role, policy, each.status.state.terminated.exitCode);
  const failed = (each: ContainerReport): boolean =>
    ended(each) && each.status.state.terminated?.exitCode !== 0;
  if (containers.some((each) => each.role === 'init' && failed(each))) return 'Failed';
  const apps = containers.filter((each) => each.role === 'app');
  // A sidecar that drains keeps the pod from having ended.
  const over = apps.every(ended) && containers.every(({ status }) => status.state.running === undefined);
  if (over) return apps.some(failed) ? 'Failed' : 'Succeeded';
  const begun = apps.every(({ status }) => status.containerID !== undefined || status.restartCount > 0);
  return begun ? 'Running' : 'Pending';
}

function conditionsOf(pod: Pod, report: PodReport, phase: string): PodCondition[] {
  const { containers, terminating } = report;
  const done = phase === 'Succeeded';
  const names = (list: readonly ContainerReport[]): string =>
    `[${list.map((each) => each.status.name).join(' ')}]`;
  const apps = containers.filter((each) => each.role === 'app');
  // Once the app's containers have begun, a sidecar's restart does not make the pod uninitialised again.
  const begun = phase !== 'Pending';
  const incomplete = begun ? [] : containers.filter((each) => !isInitialized(each));
  const unready = containers.filter((each) => each.role !== 'init' && !each.status.ready);
  const ready: Omit<PodCondition, 'type'> =
    done || phase === 'Failed'
      ? { status: 'False', reason: done ? 'PodCompleted' : 'PodFailed' }
      : unready.length === 0 && apps.length > 0
        ? { status: 'True' }
        : {
            status: 'False',
            reason: 'ContainersNotReady',
            message: `containers with unready status: ${names(unready)}`,
          };
  const gates = (pod.spec.readinessGates ?? []).filter(
    ({ conditionType }) =>
      pod.status?.conditions?.find((each) => each.type === conditionType)?.status !== 'True',
  );
  const podReady: Omit<PodCondition, 'type'> =
    ready.status === 'True' && gates.length > 0
      ? { status: 'False', reason: 'ReadinessGatesNotReady' }
      : ready;
  const own: PodCondition[] = [
    { type: 'PodReadyToStartContainers', status: report.sandboxReady && !terminating ? 'True' : 'False' },
    incomplete.length === 0
      ? { type: 'Initialized', status: 'True', ...(done && { reason: 'PodCompleted' }) }
      : {
          type: 'Initialized',
          status: 'False',
          reason: 'ContainersNotInitialized',
          message: `containers with incomplete status: ${names(incomplete)}`,
        },
    { type: 'Ready', ...podReady },
    { type: 'ContainersReady', ...ready },
    { type: 'PodScheduled', status: 'True' },
  ];
  const old = pod.status?.conditions ?? [];
  return [
    ...old.filter((each) => !own.some(({ type }) => type === each.type)),
    ...own.map((each) => {
      const before = old.find(({ type }) => type === each.type);
      const same = before?.status === each.status;
      return {
        ...each,
        lastProbeTime: null,
        lastTransitionTime: (same ? before?.lastTransitionTime : undefined) ?? report.now,
      };
    }),
  ];
}
