import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quoteResponse } from '../../formats/evidence/agent-messages.ts';
import { parseStatement } from '../../formats/evidence/statement.ts';
import { PODS } from '../../platform/kube/resources.ts';
import { AK_HANDLE } from '../../tpm/attestation-key.ts';
import { TpmExecutor } from '../../tpm/executor.ts';
import { openTransport } from '../../tpm/transport/open-transport.ts';
import { type AgentWorld, startAgentWorld } from '../support/agent-world.ts';
import { tpmHandles } from '../support/tpm-handles.ts';
import { until } from '../support/until.ts';
import { SidecarCalls } from './sidecar-calls.ts';

const PODS_COUNT = 20;
const CLIENTS_PER_POD = 10;
const KILLS = 50;
/** As long as a sidecar waits for a quote: whoever waits longer hangs. */
const PATIENCE_MS = 30_000;

/** What an agent that dies, is away or starts may do to a caller. Everything else is a defect. */
const CLEAR = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  '503 agent-not-ready',
  '503 tpm-unavailable',
  '503 api-server-unavailable',
  '429 caller-connections',
  '429 caller-busy',
  '429 agent-busy',
]);

let folder: string;
let world: AgentWorld;
/** What is in the TPM before the first agent. */
let before: Handles;
const open: SidecarCalls[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kill-'));
  const respawn = [resolve('test/support/respawn.ts'), join(folder, 'pid'), resolve('dist/agent/main.js')];
  world = await startAgentWorld({
    agent: [process.execPath, ...respawn],
    agentArgs: async ({ tpm }) => {
      before = await handlesAt(tpm);
      return [];
    },
  });
}, 60_000);
afterAll(async () => {
  for (const calls of open) calls.close();
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

type Handles = Awaited<ReturnType<typeof tpmHandles>>;

/** swtpm has one client at a time: the agent must be away. */
async function handlesAt(socket: string): Promise<Handles> {
  const tpm = new TpmExecutor(await openTransport(`swtpm:${socket}`));
  const handles = await tpmHandles(tpm);
  await tpm.close();
  return handles;
}

const agentPid = async (): Promise<number> => Number(await readFile(join(folder, 'pid'), 'utf8'));

interface Client {
  readonly calls: SidecarCalls;
  readonly credential: Awaited<ReturnType<SidecarCalls['credential']>>;
  /** Quotes since the last kill. */
  quotes: number;
}

async function clientsOf(name: string): Promise<Client[]> {
  const { pod, address } = await world.enclave(name);
  const token = await world.token(pod);
  const calls = Array.from({ length: CLIENTS_PER_POD }, () => new SidecarCalls(world, address, token));
  open.push(...calls);
  const credential = await calls[0]?.credential();
  if (credential === undefined) throw new Error('no client');
  return calls.map((each) => ({ calls: each, credential, quotes: 0 }));
}

/** How one call ended, in a word or two: `ok` only for a quote over the very nonce that was sent. */
async function outcome({ calls, credential }: Client): Promise<string> {
  const nonce = new Uint8Array(randomBytes(32));
  try {
    const answer = await Promise.race([calls.quoteAnswer(nonce, credential), sleep(PATIENCE_MS)]);
    if (answer === undefined) return 'hangs';
    if (answer.status !== 200) return `${answer.status} ${answer.code}`;
    const decoded = quoteResponse.decode(answer.body);
    const evidence = decoded.ok ? decoded.value.evidence : undefined;
    const statement = parseStatement(evidence?.statement ?? new Uint8Array(0));
    const own = Buffer.from(nonce).toString('base64url');
    return statement.ok && statement.value.eat_nonce === own ? 'ok' : 'another quote';
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code ?? error);
  }
}

test('kill -9, 50 times under 200 concurrent requests: no leaked TPM object, a quote or a clear error for everybody', async () => {
  const clients: Client[] = [];
  for (let i = 0; i < PODS_COUNT; i += 5)
    clients.push(...(await Promise.all([0, 1, 2, 3, 4].map((j) => clientsOf(`killed-${i + j}`)))).flat());
  const outcomes = new Map<string, number>();
  let stopped = false;
  const running = clients.map(async (client) => {
    while (!stopped) {
      const how = await outcome(client);
      outcomes.set(how, (outcomes.get(how) ?? 0) + 1);
      if (how === 'ok') client.quotes++;
      else await sleep(300 + Math.random() * 400);
    }
  });
  const quotes = (): number => clients.reduce((sum, client) => sum + client.quotes, 0);
  for (let kill = 1; kill <= KILLS; kill++) {
    const pid = await agentPid();
    // Most in full service; each fifth somewhere between its start and its first quotes: TPM set-up, identity, enrolment.
    if (kill % 5 === 0) await sleep(Math.random() * 700);
    else await until('quotes come', async () => quotes() > 50, 30_000);
    for (const client of clients) client.quotes = 0;
    process.kill(pid, 'SIGKILL');
    await until('it is started again', async () => (await agentPid()) !== pid);
  }
  await until('every client has its quote', async () => clients.every((client) => client.quotes > 0), 60_000);
  stopped = true;
  await Promise.all(running);
  expect([...outcomes.keys()].filter((how) => how !== 'ok' && !CLEAR.has(how))).toEqual([]);
  expect(outcomes.get('ECONNRESET')).toBeGreaterThan(KILLS);

  const agent = { name: `enclave-agent-${world.node}`, namespace: 'enclave-licensing' };
  await world.kube.delete(PODS, agent, { gracePeriodSeconds: 1 });
  await until('the agent is gone', async () => (await world.kube.get(PODS, agent)) === undefined);
  const [node] = world.cluster.nodes;
  const after = await handlesAt(node?.tpm ?? '');
  expect(after).toEqual({ ...before, persistent: [...before.persistent, AK_HANDLE].sort((a, b) => a - b) });
}, 300_000);
