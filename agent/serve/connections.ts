import { POD_CHANGED } from '../../names/wire.ts';
import type { Caller } from '../caller/caller.ts';
import { type AgentRefusal, type AgentResult, refuseCall } from '../code.ts';
import type { CallerConnection, Connection } from './connection.ts';

/** A sidecar needs six; the rest is for one that was killed and whose old connections are not yet gone. */
const PER_POD = 16;
/** Pods that lately ended or began to: a call that was authenticated from an older view of the pod must not get in behind. */
const REMEMBERED = 4096;

/**
 * How far a pod is from what it was: being deleted, its containers ended, its object gone, no longer what was said of it. Each outranks those before it; here
 * `ended` and `gone` are the same.
 */
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
    const terminating = caller.terminating || this.#ended.get(uid) === 'terminating';
    return { ok: true, value: Object.assign(connection, { caller: { ...caller, terminating } }) };
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
   * Closes what a pod has open, and lets it in no more; of one that is being deleted it notes that. One that changed is told so, also when it ends afterwards:
   * nobody may go on using it meanwhile.
   */
  end(podUid: string, how: End): void {
    const before = this.#ended.get(podUid);
    if (before === undefined || ENDS.indexOf(how) > ENDS.indexOf(before)) {
      // At the end of the line of those that are forgotten.
      this.#ended.delete(podUid);
      this.#ended.set(podUid, how);
    }
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= REMEMBERED) break;
      this.#ended.delete(oldest);
    }
    for (const connection of this.#byPod.get(podUid) ?? [])
      if (how !== 'terminating') connection.socket.destroy();
      else if (connection.caller) connection.caller = { ...connection.caller, terminating: true };
  }
}
