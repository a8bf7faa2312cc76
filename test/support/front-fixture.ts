import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { judgeUser } from '../../licensing/front/service/judge-user.ts';
import { openSqliteStore } from '../../licensing/store/sqlite-store.ts';
import { generateKey, type KeyPair } from '../../platform/identity/key-pair.ts';
import { createRpcClient, type RpcClient } from '../../platform/rpc/rpc-client.ts';
import type { CallOptions } from '../../platform/rpc/service.ts';
import { liveValue } from '../../platform/run/live.ts';
import type {
  LaunchResponse,
  LaunchResult,
} from '../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { LicensingServiceService } from '../../proto/gen/enclave_licensing/licensing/v1/licensing_service.ts';
import { FakeLauncher } from './fake-launcher.ts';
import {
  FRONT_NAME,
  type FrontLimits,
  type FrontUnderTest,
  startFrontUnderTest,
} from './front-under-test.ts';
import { recordingLogger } from './recording-logger.ts';
import { recordingMetrics } from './recording-metrics.ts';
import { createTestAuthority } from './test-authority.ts';

/** A front on a database of its own and a fake launcher, both over real gRPC; front can be stopped and started on the same database. */
export async function startFrontFixture(limits: FrontLimits = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'front-'));
  const authority = createTestAuthority();
  const launcher = new FakeLauncher(authority);
  await launcher.start();
  const { log, lines } = recordingLogger();
  const metrics = recordingMetrics();
  let offset = 0;
  const revoked = new Set<string>();
  const trust: { ageMs: number | undefined; limitMs: number } = { ageMs: 0, limitMs: 3_600_000 };
  const clock = { now: () => Date.now() + offset };
  const roots = liveValue<readonly Uint8Array[]>([authority.root]);
  let front: FrontUnderTest | undefined;
  const clients: { close(): void }[] = [];

  const start = () =>
    startFrontUnderTest({
      store: openSqliteStore(join(folder, 'front.db')),
      launcherPort: launcher.port,
      roots: roots.current(),
      credential: authority.issue({ dns: [FRONT_NAME] }),
      limits,
      log,
      metrics,
      clock,
      judgeUser: (user) => {
        const users = [...revoked].map((name) => ({ user: name }));
        return judgeUser({ document: { revoked: { certificates: [], users, grants: [] } }, ...trust }, user);
      },
    });

  front = await start();
  return {
    launcher,
    lines,
    metrics,
    /** Users whom the trust document names. */
    revoked,
    /** Its age. */
    trust,
    get front() {
      if (front === undefined) throw new Error('front is stopped');
      return front;
    },
    /** Time goes on by this much. */
    advance: (ms: number): void => {
      offset += ms;
    },
    /** Everything that is not in the store is lost. */
    async restart(): Promise<void> {
      await front?.stop();
      front = await start();
    },
    client(): RpcClient<typeof LicensingServiceService> {
      if (front === undefined) throw new Error('front is stopped');
      const client = createRpcClient(LicensingServiceService, {
        address: { host: '127.0.0.1', port: front.port },
        serverName: FRONT_NAME,
        roots,
        maxResponseBytes: 1 << 20,
      });
      clients.push(client);
      return client;
    },
    async token(user: string): Promise<CallOptions> {
      const client = this.client();
      await client.signUp({ user, password: `password of ${user}` });
      return { token: (await client.login({ user, password: `password of ${user}` })).token };
    },
    async close(): Promise<void> {
      for (const client of clients) client.close();
      await front?.stop();
      await launcher.kill();
      rmSync(folder, { recursive: true });
    },
  };
}
export type FrontFixture = Awaited<ReturnType<typeof startFrontFixture>>;

/** A launch's request for a key. */
export function launchRequest(key: KeyPair = generateKey(), profile = 'small') {
  return {
    profile,
    nonce: randomBytes(32),
    certificateRequest: Buffer.from(buildCertificateRequest({ spki: key.spki }, key.sign, key.scheme)),
    launchId: randomBytes(16),
  };
}

export function keySha256(key: KeyPair): string {
  return createHash('sha256').update(key.spki).digest('hex');
}

export interface FollowedLaunch {
  readonly enclave: string;
  readonly phases: readonly number[];
  readonly result: LaunchResult;
}

/** Follows a launch to its end; `onPhase` after each progress event. @throws what the launch threw */
export async function follow(
  events: AsyncIterable<LaunchResponse>,
  onPhase: (phase: number, enclave: string) => unknown = () => undefined,
): Promise<FollowedLaunch> {
  let enclave = '';
  const phases: number[] = [];
  for await (const { event } of events) {
    if (event?.$case === 'result') return { enclave, phases, result: event.value };
    if (event?.$case !== 'progress') continue;
    enclave = event.value.enclave;
    if (phases.at(-1) !== event.value.phase) phases.push(event.value.phase);
    await onPhase(event.value.phase, enclave);
  }
  throw new Error('the launch ended without a result');
}
