import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { INJECTION_LABEL } from '../../names/labels.ts';
import { ENCLAVE_NAMESPACE } from '../../tools/cluster/environment.ts';
import { until } from '../support/until.ts';
import { launch, startWorld, succeed, type World } from '../support/world.ts';

/** Two webhooks as processes: what one keeps and reports goes on when it is killed, and neither lets a namespace lose its label under an enclave. */
const POLICY = 'enclave-licensing-launched';
let world: World;

beforeAll(async () => {
  world = await startWorld({ nodes: 1 });
  await world.environment.replicas('enclave-webhook', 2);
});
afterAll(() => world?.stop());

interface WebhookProcess {
  readonly pid: number;
  readonly address: string;
}

function webhooks(): WebhookProcess[] {
  return world.environment.processes('webhook').map((pid) => ({
    pid,
    address: /--bind=([0-9.]+)/.exec(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))?.[1] ?? '',
  }));
}

/** A metric's value as the process shows it now; undefined while it does not answer. */
function metric(address: string, name: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const call = get({ host: address, port: 9464, path: '/metrics', timeout: 2000 }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () => {
        const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
        resolve(value === undefined ? undefined : Number(value));
      });
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(undefined));
  });
}

async function leaders(): Promise<WebhookProcess[]> {
  const all = webhooks();
  const leads = await Promise.all(all.map(({ address }) => metric(address, 'enclave_webhook_keeper_leads')));
  return all.filter((_each, index) => leads[index] === 1);
}

const policyStands = async (): Promise<boolean> =>
  (await world.environment.tryKubectl(['get', 'networkpolicy', POLICY, '-n', ENCLAVE_NAMESPACE])).code === 0;

test('one of two leads; killed, the other keeps the policies within seconds', async () => {
  await until('the policy stands', policyStands);
  const [leader] = await until('one leads', async () => {
    const found = await leaders();
    return webhooks().length === 2 && found.length === 1 && found;
  });
  // With it nobody could delete the webhook's policy.
  const { kubectl, tryKubectl } = world.environment;
  const binding = ['validatingadmissionpolicybinding', 'network-policies.enclave-licensing.dev'];
  const bound = JSON.parse(await kubectl(['get', ...binding, '-o', 'json'])) as { metadata: object };
  await kubectl(['delete', ...binding]);
  try {
    process.kill(leader?.pid ?? Number.NaN, 'SIGKILL');
    await until(
      'the policy is deleted',
      async () => (await tryKubectl(['delete', 'networkpolicy', POLICY, '-n', ENCLAVE_NAMESPACE])).code === 0,
    );
    // A lease of 5 s and a look at it each second; the machine may be busy.
    await until('the policy is back', policyStands, 40_000);
    const pids = (await leaders()).map(({ pid }) => pid);
    expect(pids).toHaveLength(1);
    expect(pids).not.toContain(leader?.pid);
  } finally {
    const metadata = { ...bound.metadata, uid: undefined, resourceVersion: undefined };
    await kubectl(['apply', '-f', '-'], JSON.stringify({ ...bound, metadata }));
  }
  await world.componentsReady();
});

test('the namespace keeps its label while an enclave runs, whichever replica is asked', async () => {
  const alice = await world.user('alice');
  const { enclave, code } = await launch(alice);
  expect(code).toBe(0);
  const unlabel = () =>
    world.environment.tryKubectl(['label', 'namespace', ENCLAVE_NAMESPACE, `${INJECTION_LABEL}-`]);
  for (let turn = 1; turn <= 4; turn += 1) {
    const { code: refused, stderr } = await unlabel();
    expect(stderr).toContain(`1 enclave pod runs in namespace ${ENCLAVE_NAMESPACE} (${enclave})`);
    expect(refused).not.toBe(0);
  }
  const other = ['label', 'namespace', ENCLAVE_NAMESPACE, 'team=a'];
  expect((await world.environment.tryKubectl(other)).code).toBe(0);
  await succeed(alice, ['stop', enclave]);
  await until('the label goes', async () => (await unlabel()).code === 0);
  await until('and the policies with it', async () => !(await policyStands()));
});
