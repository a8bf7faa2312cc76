import type { Metrics } from '../../platform/metrics/metrics.ts';
import type { UserRefusal } from './service/judge-user.ts';

/** Every metric of front, in one place. */
export interface FrontMetrics {
  loggedIn(outcome: 'ok' | 'wrong-credentials' | UserRefusal['code'] | 'overloaded' | 'rate-limited'): void;
  signedUp(outcome: 'ok' | 'user-exists' | 'overloaded' | 'rate-limited'): void;
  /** `ready` or the failure's code. */
  launched(outcome: string): void;
  phaseReached(phase: string, milliseconds: number): void;
  seats(taken: number): void;
  /** Launches and removals that are not at rest. */
  underWay(runs: number): void;
  orphanRemoved(): void;
  scryptBegun(): void;
}

const PHASE_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300];

export function frontMetrics(metrics: Metrics): FrontMetrics {
  const logins = metrics.counter('logins_total', 'Logins by outcome', ['outcome']);
  const signUps = metrics.counter('sign_ups_total', 'Sign-ups by outcome', ['outcome']);
  const launches = metrics.counter('launches_total', 'Launches that ended in ready or in a failure', [
    'outcome',
  ]);
  const phases = metrics.histogram(
    'launch_phase_seconds',
    'Time from the seat to each phase',
    ['phase'],
    PHASE_BUCKETS,
  );
  const seats = metrics.gauge('seats_taken', 'Seats taken, over all users');
  const underWay = metrics.gauge('launches_under_way', 'Launches and removals under way');
  const orphans = metrics.counter('orphans_removed_total', 'Pods of enclaves that no seat stood for');
  const scrypts = metrics.counter(
    'scrypts_total',
    'Passwords hashed: one for each sign-up and login that was let in',
  );
  return {
    loggedIn: (outcome) => logins.inc({ outcome }),
    signedUp: (outcome) => signUps.inc({ outcome }),
    launched: (outcome) => launches.inc({ outcome }),
    phaseReached: (phase, milliseconds) => phases.observe(milliseconds / 1000, { phase }),
    seats: (taken) => seats.set(taken),
    underWay: (runs) => underWay.set(runs),
    orphanRemoved: () => orphans.inc(),
    scryptBegun: () => scrypts.inc(),
  };
}
