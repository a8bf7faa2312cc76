import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseRoots } from '../../formats/evidence/roots.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { createRpcClient, type RpcClient } from '../../platform/rpc/rpc-client.ts';
import { RpcError } from '../../platform/rpc/rpc-error.ts';
import { liveValue } from '../../platform/run/live.ts';
import { EnclaveState } from '../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { LicensingServiceService } from '../../proto/gen/enclave_licensing/licensing/v1/licensing_service.ts';
import { componentPods } from '../../tools/cluster/component-pods.ts';
import {
  ENCLAVE_NAMESPACE,
  type Environment,
  FRONT_NAME,
  startEnvironment,
} from '../../tools/cluster/environment.ts';
import { PROFILE, profileObject } from '../../tools/demo/operator.ts';
import { follow, launchRequest } from '../support/front-fixture.ts';
import { until } from '../support/until.ts';

const directory = mkdtempSync(join(tmpdir(), 'killed-'));
let environment: Environment;
let front: RpcClient<typeof LicensingServiceService>;
let token: string;

beforeAll(async () => {
  environment = await startEnvironment({ directory, seats: 4 });
  await environment.kubectl(['apply', '-f', '-'], JSON.stringify(profileObject(environment)));
  const roots = parseRoots(readFileSync(environment.rootsFile));
  if (!roots.ok) throw new Error(roots.message);
  const [host = '', port] = environment.frontAddress.split(':');
  front = createRpcClient(LicensingServiceService, {
    address: { host, port: Number(port) },
    serverName: FRONT_NAME,
    roots: liveValue(roots.value.system),
    maxResponseBytes: 1 << 20,
  });
  await front.signUp({ user: 'ada', password: 'correct horse' });
  token = (await front.login({ user: 'ada', password: 'correct horse' })).token;
});
afterAll(async () => {
  front?.close();
  await environment?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** The component's process in this cluster. */
function processOf(component: string): number | undefined {
  const folder = dirname(environment.cluster.kubeconfig);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return line.includes(folder) && line.includes(`/${component}/main.js`);
      } catch {
        return false;
      }
    });
}

/** As a client does it: whatever breaks off on the way, the same launch again. */
async function persist<T>(action: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      return await action();
    } catch (error) {
      const passes = error instanceof RpcError && ['UNAVAILABLE', 'CANCELLED'].includes(error.status);
      if (!passes || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function launchKilling(component: string, phase: number): Promise<string> {
  const request = launchRequest(generateKey(), PROFILE);
  let killed = false;
  const { enclave, result } = await persist(() =>
    follow(front.launch(request, { token }), (reached) => {
      const pid = reached === phase && !killed ? processOf(component) : undefined;
      if (pid === undefined) return;
      killed = true;
      process.kill(pid, 'SIGKILL');
    }),
  );
  expect(killed).toBe(true);
  expect(result.enclave?.state).toBe(EnclaveState.ENCLAVE_STATE_READY);
  expect(result.bundle?.endpoint).toMatch(/:8443$/);
  return enclave;
}

const names = async (...args: string[]): Promise<string[]> =>
  (await environment.kubectl([...args, '-o', 'name'])).split('\n').filter((line) => line !== '');

async function leavesNothing(id: string): Promise<void> {
  await until(`${id} is stopped`, async () => {
    const { enclave } = await persist(() => front.stopEnclave({ id }, { token }));
    return enclave?.state === EnclaveState.ENCLAVE_STATE_STOPPED;
  });
  expect(await names('get', 'pods', '-n', ENCLAVE_NAMESPACE)).toEqual([]);
  const requests = await names('get', 'certificatesigningrequests');
  expect(requests.filter((name) => /\/(enclave|user)-/.test(name))).toEqual([]);
}

/** A new pod of the same manifest: its restarts are not held back by those of the pod before. */
async function anew(component: string): Promise<void> {
  const manifest = componentPods(environment.release).find((pod) =>
    JSON.stringify(pod).includes(`"name":"${component}"`),
  );
  const namespace = environment.release.namespace;
  await environment.kubectl(['delete', 'pod', component, '-n', namespace, '--grace-period=0', '--force']);
  await until(`${component} is gone`, async () => processOf(component.replace('enclave-', '')) === undefined);
  await environment.kubectl(['apply', '--validate=false', '-f', '-'], JSON.stringify(manifest));
  await until(`${component} runs`, async () => processOf(component.replace('enclave-', '')) !== undefined);
}

describe('kill -9 at a named phase: the launch ends in ready, and stopping it leaves nothing', () => {
  test.each([1, 2, 3, 4, 5, 6, 7])('the launcher at phase %i', async (phase) => {
    await leavesNothing(await launchKilling('launcher', phase));
    await anew('enclave-launcher');
  });

  // Front's store lives in its pod, whose restarts come ever later: test/licensing/front-recovery.test.ts has the other phases.
  test.each([1, 3, 5, 7])('front at phase %i', async (phase) => {
    await leavesNothing(await launchKilling('front', phase));
  });
});
