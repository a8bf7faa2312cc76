import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { frontMetrics } from '../../licensing/front/front-metrics.ts';
import { LaunchRun } from '../../licensing/front/launches/launch-run.ts';
import { openSqliteStore } from '../../licensing/store/sqlite-store.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import { systemClock } from '../../platform/run/clock.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';

test('a front whose lease is over asks the launcher for nothing, though the record still names it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'launch-run-'));
  const store = openSqliteStore(join(folder, 'front.db'));
  const none = new Uint8Array(16);
  const wanted = {
    ...{ id: 'e1', user: 'ada', launchId: none, profile: 'small', ownerKeySha256: 'ab'.repeat(32) },
    ...{ nonce: none, certificateRequest: none },
  };
  await store.createUser({ name: 'ada', passwordKey: new Uint8Array(96) }, 1, 1);
  await store.takeSeat(wanted, 'me', systemClock.now());
  await store.updateEnclave('e1', ['launching'], { state: 'stopping' }, systemClock.now());
  expect((await store.findEnclave('e1'))?.driver).toBe('me');
  const asked: string[] = [];
  const lease = { name: 'me', held: false, eldest: false, onLapse: () => undefined };
  const looked = vi.spyOn(store, 'findEnclave');
  const run = new LaunchRun(
    'e1',
    {
      store,
      lease,
      launcher: {
        stop: async ({ enclave }: { enclave: string }) => {
          asked.push(enclave);
          return {};
        },
        launch: () => {
          throw new Error('nothing is launched here');
        },
        list: () => {
          throw new Error('nothing is listed here');
        },
      } as never,
      clock: systemClock,
      log: silentLogger,
      metrics: frontMetrics(recordingMetrics()),
      limits: { launchTimeoutMs: 60_000, unattendedTimeoutMs: 60_000 },
      startedAt: systemClock.now(),
      signal: new AbortController().signal,
    },
    () => undefined,
  );
  // It looks again and again, and does nothing.
  await vi.waitFor(() => expect(looked.mock.calls.length).toBeGreaterThan(2), 15_000);
  expect(asked).toEqual([]);
  lease.held = true;
  await run.done;
  expect(asked).toEqual(['e1']);
  expect((await store.findEnclave('e1'))?.state).toBe('stopped');
  await store.close();
  rmSync(folder, { recursive: true });
});
