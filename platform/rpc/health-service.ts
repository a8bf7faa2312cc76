import {
  type HealthService,
  HealthCheckResponse_ServingStatus as Status,
} from '../../proto/gen/health/v1/health.ts';
import type { Health } from '../health/health.ts';
import { sleep } from '../run/sleep.ts';
import { RpcRefusal } from './rpc-error.ts';
import type { Handlers } from './service.ts';

const INTERVAL_MS = 1_000;

/**
 * grpc.health.v1: SERVING while the process is ready, for the empty name and each service served. The answer follows readiness, so that a process that drains is
 * left in time.
 */
export function healthHandlers(
  health: Health | undefined,
  services: () => readonly string[],
): Handlers<typeof HealthService> {
  const status = (): Status =>
    health === undefined || health.ready().ok ? Status.SERVING : Status.NOT_SERVING;
  const known = (name: string): boolean => name === '' || services().includes(name);
  return {
    check: async ({ service }) => {
      if (!known(service))
        throw new RpcRefusal('NOT_FOUND', {
          code: 'unknown-service',
          message: 'no such service here',
          remedy: 'ask for the empty name, or list',
        });
      return { status: status() };
    },
    async *watch({ service }, { signal }) {
      let last: Status | undefined;
      do {
        const now = known(service) ? status() : Status.SERVICE_UNKNOWN;
        if (now !== last) yield { status: now };
        last = now;
      } while (await sleep(INTERVAL_MS, signal));
    },
    list: async () => ({
      statuses: Object.fromEntries(['', ...services()].map((name) => [name, { status: status() }])),
    }),
  };
}
