import type { LaunchCode } from '../../codes/launch-code.ts';
import { phaseName } from '../../codes/phase-name.ts';
import type { EnclaveRecord } from '../../store/enclave-record.ts';

export interface LaunchLimits {
  /** From the seat to ready, in milliseconds. */
  readonly launchTimeoutMs: number;
  /** How long a launch lives that nobody waits for and whose result nobody has taken. */
  readonly unattendedTimeoutMs: number;
}

export interface Attention {
  /** Is a client waiting now? */
  readonly attached: boolean;
  /** When one last did, milliseconds; never before this process began, so that a front that was away ends nothing for it. */
  readonly since: number;
}

/** What to do with an enclave next, decided from its record alone: after a crash the same record leads to the same step. */
export type LaunchStep =
  /** Ask the launcher to bring it to ready, or to go on doing so; give up at this time. */
  | { readonly do: 'launch'; readonly until: number }
  /** It is to end with this reason. */
  | { readonly do: 'fail'; readonly code: LaunchCode; readonly reason: string }
  /** Ask the launcher to remove everything of it; when nothing is left it is in this state, and its seat is free. */
  | { readonly do: 'remove'; readonly outcome: 'stopped' | 'failed' }
  | { readonly do: 'rest' };

export function nextStep(
  record: EnclaveRecord,
  attention: Attention,
  limits: LaunchLimits,
  now: number,
): LaunchStep {
  switch (record.state) {
    case 'launching': {
      const until = record.createdAt + limits.launchTimeoutMs;
      if (now >= until) return { do: 'fail', code: 'launch-timeout', reason: timeoutReason(record, limits) };
      return isAbandoned(record, attention, limits, now) ? abandoned(limits) : { do: 'launch', until };
    }
    case 'ready':
      return isAbandoned(record, attention, limits, now) ? abandoned(limits) : { do: 'rest' };
    case 'stopping':
      return { do: 'remove', outcome: 'stopped' };
    case 'failing':
      return { do: 'remove', outcome: 'failed' };
    case 'stopped':
    case 'failed':
      return { do: 'rest' };
  }
}

function timeoutReason(record: EnclaveRecord, limits: LaunchLimits): string {
  return `not ready after ${seconds(limits.launchTimeoutMs)}; the last phase reached was ${phaseName(record.phase)}`;
}

function isAbandoned(
  record: EnclaveRecord,
  attention: Attention,
  limits: LaunchLimits,
  now: number,
): boolean {
  return !record.delivered && !attention.attached && now >= attention.since + limits.unattendedTimeoutMs;
}

function abandoned(limits: LaunchLimits): LaunchStep {
  const reason = `nobody came for the launch's result within ${seconds(limits.unattendedTimeoutMs)}`;
  return { do: 'fail', code: 'launch-unattended', reason };
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
