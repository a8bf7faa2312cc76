import { Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { judgePod } from '../../agent/caller/judge-pod.ts';
import { agentMetrics } from '../../agent/metrics.ts';
import { watchNodePods } from '../../agent/pods/node-pods.ts';
import type { CallerConnection } from '../../agent/serve/connection.ts';
import { Connections } from '../../agent/serve/connections.ts';
import { POD_CHANGED } from '../../names/wire.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { type ScriptedApiServer, scriptedApiServer } from '../support/scripted-api-server.ts';
import { until } from '../support/until.ts';
import { rules, storedPod } from './pods.ts';

const UID = storedPod().metadata?.uid ?? '';
const EXPIRED = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
let ending: AbortController;
let scripted: ScriptedApiServer;
afterEach(async () => {
  ending.abort();
  await scripted.stop();
});

const at = (version: string, edit?: (pod: Pod) => void): Pod =>
  storedPod((pod) => {
    Object.assign(pod.metadata ?? {}, { resourceVersion: version });
    edit?.(pod);
  });
const event = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`;
const list = (version: string, ...items: Pod[]) => ({ items, metadata: { resourceVersion: version } });
const going = (pod: Pod): void => {
  Object.assign(pod.metadata ?? {}, { deletionTimestamp: '2026-01-01T00:00:00Z' });
};
const otherImage = (pod: Pod): void => {
  Object.assign(pod.spec?.containers[0] ?? {}, { image: `registry.internal/app@sha256:${'3'.repeat(64)}` });
};

/** An agent whose copy of the node's pods begins as `first`, and a caller that the API server itself vouched for. */
async function agentWith(...first: Pod[]) {
  scripted = await scriptedApiServer();
  ending = new AbortController();
  const connections = new Connections();
  const ended: string[] = [];
  const watch = watchNodePods({
    kube: scripted.kube,
    log: recordingLogger().log,
    signal: ending.signal,
    rules,
    metrics: agentMetrics(recordingMetrics()),
    connections,
    onEnd: ({ metadata: { uid = '' } = {} }, how, reason) => {
      ended.push(`${uid}: ${reason}`);
      connections.end(uid, how);
    },
    onListed: (uids) => connections.keepOnly(uids),
  });
  (await scripted.next()).answer(200, list('5', ...first));
  await watch.synced;
  /** A connection of the pod as the API server shows it at that moment. */
  const dial = (pod: Pod): CallerConnection => {
    const caller = judgePod(pod, rules);
    if (!caller.ok) throw new Error(caller.message);
    const connection = {
      socket: new Socket(),
      remoteAddress: '127.70.0.7',
      signal: ending.signal,
      inFlight: 0,
    };
    const joined = connections.join(connection, caller.value);
    if (!joined.ok) throw new Error(joined.message);
    return joined.value;
  };
  const own = dial(storedPod());
  const { socket } = own;
  const { response } = await scripted.next();
  return { own, socket, ended, watch: response, copy: watch, dial, connections };
}

const cut = (socket: Socket): Promise<true> => until('the connection is cut', async () => socket.destroyed);

test.each<[string, Pod[], Pod[], string | undefined]>([
  ['was deleted', [at('4')], [], 'the pod is gone'],
  ['was deleted, and had come too', [], [], undefined],
  ['changed', [at('4')], [at('9', otherImage)], 'what the statement says of the pod changed'],
  ['changed, and had come too', [], [at('9', otherImage)], 'what the statement says of the pod changed'],
])('a pod that %s while its version expired (410 inside the watch)', async (_, before, after, reason) => {
  const { socket, ended, watch } = await agentWith(...before);
  watch.end(event('ERROR', EXPIRED));
  (await scripted.next()).answer(200, list('20', ...after));
  await cut(socket);
  expect(ended).toEqual(reason === undefined ? [] : [`${UID}: ${reason}`]);
});

test('a caller that is newer than the copy: the pod is first seen when it goes', async () => {
  const { socket, ended, watch } = await agentWith();
  watch.write(event('ADDED', at('6', going)));
  await until('it is seen', async () => ended.length === 1);
  expect(ended).toEqual([expect.stringContaining('being deleted')]);
  watch.write(event('DELETED', at('7', going)));
  await cut(socket);
});

test('a caller whose pod is as it was stays, whatever else the watch brings', async () => {
  const { socket, ended, watch } = await agentWith(at('4'));
  const running = (pod: Pod): void => {
    Object.assign(pod.status ?? {}, { phase: 'Running' });
  };
  const stranger = (pod: Pod): void => {
    Object.assign(pod.metadata ?? {}, { name: 'e2', uid: 'other' });
  };
  watch.write(event('MODIFIED', at('6', running)) + event('ADDED', at('7', stranger)));
  watch.write(event('DELETED', at('8', stranger)));
  await until('all is seen', async () => ended.length === 1);
  expect([socket.destroyed, ended]).toEqual([false, ['other: the pod is gone']]);
});

test('a pod that changed is told so for good, also when it has ended since; one that ended is told that', () => {
  const connections = new Connections();
  connections.end('one', 'terminating');
  connections.end('one', 'changed');
  connections.end('one', 'ended');
  connections.end('one', 'gone');
  connections.end('other', 'ended');
  connections.end('other', 'terminating');
  connections.end('going', 'terminating');
  connections.end('away', 'gone');
  expect(connections.refusalOf('one')?.code).toBe(POD_CHANGED);
  for (const who of ['other', 'away']) expect(connections.refusalOf(who)?.code).toBe('caller-pod-ended');
  for (const who of ['going', 'nobody']) expect(connections.refusalOf(who)).toBeUndefined();
});

test('a pod that is being deleted keeps its connections until it has ended, and it is noted of them', async () => {
  const { own, socket, ended, watch, dial, connections } = await agentWith(at('4'));
  const ends = () => [own, ...later].map(({ caller }) => caller.terminating);
  const later: CallerConnection[] = [];
  expect(ends()).toEqual([false]);
  watch.write(event('MODIFIED', at('6', going)));
  await until('it is noted', async () => own.caller.terminating);
  // As the API server was asked just before, and just after.
  later.push(dial(at('5')), dial(at('6', going)));
  const status = (pod: Pod): void => {
    going(pod);
    Object.assign(pod.status ?? {}, { message: 'on its way' });
  };
  const stranger = (pod: Pod): void => {
    Object.assign(pod.metadata ?? {}, { name: 'e2', uid: 'other' });
  };
  watch.write(event('MODIFIED', at('7', status)));
  watch.write(event('ADDED', at('8', stranger)) + event('DELETED', at('8', stranger)));
  await until('all is seen', async () => ended.length === 2);
  expect(ends()).toEqual([true, true, true]);
  expect(socket.destroyed).toBe(false);
  const over = (pod: Pod): void => {
    going(pod);
    Object.assign(pod.status ?? {}, { phase: 'Succeeded' });
  };
  watch.write(event('MODIFIED', at('9', over)));
  for (const each of [own, ...later]) await cut(each.socket);
  expect(ended).toEqual([
    `${UID}: the pod is being deleted`,
    'other: the pod is gone',
    `${UID}: pod enclaves/e1 has ended`,
  ]);
  expect(connections.refusalOf(UID)).toMatchObject({ code: 'caller-pod-ended' });
});

test('a caller that knew the pod as it was changed does not hide that it was: the watch was away, and then it is being deleted', async () => {
  const { own, dial, watch, ended, connections } = await agentWith(at('4'));
  connections.leave(own);
  const { socket } = dial(at('6', otherImage));
  watch.end(event('ERROR', EXPIRED));
  const changed = at('9', (pod) => {
    otherImage(pod);
    going(pod);
  });
  (await scripted.next()).answer(200, list('20', changed));
  await cut(socket);
  expect(ended).toEqual([`${UID}: what the statement says of the pod changed`]);
});

test('an agent that was restarted, and 4,096 ends later: a pod that is being deleted is still known as that', async () => {
  const { own } = await agentWith();
  const connections = new Connections();
  const fresh = () => ({ ...own, socket: new Socket() });
  const seen = connections.join(fresh(), { ...own.caller, terminating: true });
  connections.end(UID, 'terminating');
  const behind = connections.join(fresh(), { ...own.caller, terminating: false });
  for (let i = 0; i < 5000; i += 1) connections.end(`other-${i}`, 'ended');
  for (const joined of [seen, behind])
    expect(joined).toMatchObject({ ok: true, value: { caller: { terminating: true } } });
  expect(connections.caller(UID)?.terminating).toBe(true);
});

test('who changed long after it was remembered for something else is remembered anew', () => {
  const connections = new Connections();
  connections.end('one', 'terminating');
  for (let i = 0; i < 4090; i += 1) connections.end(`other-${i}`, 'ended');
  connections.end('one', 'changed');
  for (let i = 0; i < 100; i += 1) connections.end(`later-${i}`, 'ended');
  expect(connections.refusalOf('one')?.code).toBe(POD_CHANGED);
});

test('of pods that are no enclaves little is kept, however large they are; of an enclave all that is judged', async () => {
  const large = at('4', (pod) => {
    pod.metadata = { name: 'large', namespace: 'shop', uid: 'large', resourceVersion: '4' };
    Object.assign(pod.metadata, { annotations: { text: 'x'.repeat(100_000) }, labels: { app: 'large' } });
    pod.spec = { nodeName: rules.node, containers: [{ name: 'app', image: 'app' }] };
  });
  const { copy, ended } = await agentWith(at('5'), large);
  const [kept, enclave] = [copy.get({ namespace: 'shop', name: 'large' }), copy.list()[0]];
  expect(JSON.stringify(kept).length).toBeLessThan(300);
  expect(kept?.metadata?.uid).toBe('large');
  expect(enclave === undefined ? undefined : judgePod(enclave, rules)).toEqual(judgePod(at('5'), rules));
  expect(ended).toEqual([]);
});
