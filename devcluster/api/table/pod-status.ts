import { dig, type Fields, fields, items, type KubeObject, text } from '../object.ts';

/** The word that `kubectl get pods` shows, and how many containers are ready and restarted. */
export function podSummary(pod: KubeObject): { status: string; ready: string; restarts: number } {
  const statuses = items(dig(pod, 'status', 'containerStatuses'));
  const init = items(dig(pod, 'status', 'initContainerStatuses'));
  const declared = items(dig(pod, 'spec', 'initContainers'));
  const sidecars = declared.filter((each) => each['restartPolicy'] === 'Always').map((each) => each['name']);
  const counted = [...init.filter((each) => sidecars.includes(each['name'])), ...statuses];
  const total = items(dig(pod, 'spec', 'containers')).length + sidecars.length;
  const ready = counted.filter((each) => each['ready'] === true).length;
  const restarts = counted.reduce((sum, each) => sum + Number(each['restartCount'] ?? 0), 0);
  return {
    status: word(pod, statuses, init, sidecars, declared.length),
    ready: `${ready}/${total}`,
    restarts,
  };
}

function word(
  pod: KubeObject,
  statuses: readonly Fields[],
  init: readonly Fields[],
  sidecars: readonly unknown[],
  initCount: number,
): string {
  let said = text(dig(pod, 'status', 'reason')) || text(dig(pod, 'status', 'phase'));
  for (const [index, each] of init.entries()) {
    const state = fields(each['state']);
    if (dig(state, 'terminated', 'exitCode') === 0) continue;
    if (sidecars.includes(each['name']) && each['started'] === true) continue;
    const why = reasonOf(state);
    said = `Init:${why === '' || why === 'PodInitializing' ? `${index}/${initCount}` : why}`;
    if (pod.metadata.deletionTimestamp === undefined) return said;
    break;
  }
  for (const each of statuses) {
    const why = reasonOf(fields(each['state']));
    if (why !== '') said = why;
  }
  return pod.metadata.deletionTimestamp === undefined ? said : 'Terminating';
}

function reasonOf(state: Fields): string {
  const ended = fields(state['terminated']);
  const code = ended['exitCode'];
  return (
    text(dig(state, 'waiting', 'reason')) ||
    text(ended['reason']) ||
    (code === undefined ? '' : `ExitCode:${code}`)
  );
}
