import { POD_CHANGED } from '../../names/wire.ts';
import type { Caller } from '../caller/caller.ts';
import { type AgentRefusal, type AgentResult, refuseCall } from '../code.ts';
import type { CallerConnection, Connection } from './connection.ts';

/** A sidecar needs six; the rest is for one that was killed and whose old connections are not yet gone. */
const PER_POD = 16;
/** Pods that ended lately: a call that was authenticated from an older view of the pod must not get in behind. */
const REMEMBERED = 4096;

/** How far a pod is from what it was: being deleted, its containers ended, its object gone, no longer what was said of it. Each outlives those before it. */
const ENDS = ['terminating', 'ended', 'gone', 'changed'] as const;
export type End = (typeof ENDS)[number];

/** Which connections are whose. */
export class Connections {
  readonly #byPod = new Map<string, Set<Connection>>();
  readonly #ended = new Map<string, End>();

  /** Notes who is at the other end. */
  join(connection: Connection, caller: Caller): AgentResult<CallerConnection> {
    const { uid } = caller.claims.pod;
    const over = this.refusalOf(uid);
    if (over !== undefined) return over;
    // It ended while the API server was asked: nobody would take it off the list again.
    if (connection.signal.aborted)
      return refuseCall('caller-connections', 'the connection has ended', 'connect again');
    const all = this.#byPod.get(uid) ?? new Set();
    if (all.size >= PER_POD && !all.has(connection))
      return refuseCall(
        'caller-connections',
        `pod ${uid} has ${PER_POD} connections`,
        'close some first',
        1000,
      );
    all.add(connection);
    this.#byPod.set(uid, all);
    return { ok: true, value: Object.assign(connection, { caller }) };
  }

  leave(connection: Connection): void {
    const uid = connection.caller?.claims.pod.uid ?? '';
    const all = this.#byPod.get(uid);
    if (all?.delete(connection) && all.size === 0) this.#byPod.delete(uid);
  }

  /** What a pod that has connections was believed to be. */
  caller(podUid: string): Caller | undefined {
    const [any] = this.#byPod.get(podUid) ?? [];
    return any?.caller;
  }

  /** Why nothing new is said of a caller whose pod is being deleted, by its own view or a newer one; undefined when it is not. */
  terminating({ caller: { claims, terminating } }: CallerConnection): AgentRefusal | undefined {
    const { name, uid } = claims.pod;
    return terminating || this.#ended.get(uid) === 'terminating'
      ? refuseCall(
          'caller-pod-ended',
          `pod ${name} is being deleted: it gets trust documents, and nothing else`,
          'its successor calls by itself',
        )
      : undefined;
  }

  /** Closes what is open of all pods but these. They may come again: it is seen then whether they are there. */
  keepOnly(podUids: ReadonlySet<string>): void {
    for (const [uid, all] of this.#byPod)
      if (!podUids.has(uid)) for (const { socket } of all) socket.destroy();
  }

  /** Why a pod that was connected is let in no more; undefined when it is. */
  refusalOf(podUid: string): AgentRefusal | undefined {
    switch (this.#ended.get(podUid)) {
      case undefined:
      case 'terminating':
        return undefined;
      case 'ended':
      case 'gone':
        return refuseCall('caller-pod-ended', `pod ${podUid} has ended`, 'its successor calls by itself');
      case 'changed':
        return refuseCall(
          POD_CHANGED,
          `pod ${podUid} is no longer what was said of it`,
          'create the pod again: what changed it is in the audit log of the API server',
        );
    }
  }

  /**
   * Closes what a pod has open. One that is being deleted may come back, for trust documents alone; no other is let in any more. One that changed is told so,
   * also when it ends afterwards: nobody may go on using it meanwhile.
   */
  end(podUid: string, how: End): void {
    const before = this.#ended.get(podUid);
    if (before === undefined || ENDS.indexOf(how) > ENDS.indexOf(before)) this.#ended.set(podUid, how);
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= REMEMBERED) break;
      this.#ended.delete(oldest);
    }
    for (const { socket } of this.#byPod.get(podUid) ?? []) socket.destroy();
    // What comes back is judged by its own view, and not by theirs.
    this.#byPod.delete(podUid);
  }
}
