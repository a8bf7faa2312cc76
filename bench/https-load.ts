/** The real agent process in a cluster of one node, asked over HTTPS by client processes: what is left of the queue's figures. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { encodePem } from '../formats/x509/pem.ts';
import { SidecarCalls } from '../test/agent/sidecar-calls.ts';
import { AGENT_PORT, type AgentWorld, startAgentWorld } from '../test/support/agent-world.ts';
import type { ClientsReport, ClientsSetup, ClientsTask } from './quote-clients.ts';
import { type SlowTpm, startSlowTpm } from './start-slow-tpm.ts';

/** As many connections of a pod as the agent takes. */
const PER_POD = 16;
const PROCESSES = 2;
/** Pods that start at once. */
const TOGETHER = 8;

export interface HttpsLoad {
  readonly tpm: SlowTpm;
  /** Evidence per second that all connections get, each with one request under way. */
  rate(ms: number): Promise<number>;
  /** One connection, one request at a time: mean milliseconds without those in TPM2_Quote, and evidence per second. */
  idle(ms: number): Promise<{ ms: number; rate: number }>;
  close(): Promise<void>;
}

/** @param inFlight connections, a multiple of 128 */
export async function startHttpsLoad(inFlight: number): Promise<HttpsLoad> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  let tpm: SlowTpm | undefined;
  let world: AgentWorld | undefined;
  const processes: ChildProcess[] = [];
  const close = async (): Promise<void> => {
    for (const each of processes) each.disconnect();
    await world?.stop();
    await tpm?.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    world = await startAgentWorld({
      agent: [process.execPath, resolve('dist/agent/main.js')],
      agentArgs: async (node) => {
        tpm = await startSlowTpm(join(folder, 'tpm.sock'), node.tpm);
        return [`--tpm=${tpm.address}`];
      },
    });
    const running = world;
    if (tpm === undefined) throw new Error('the agent was started without a TPM');
    const pods: ClientsSetup['pods'][number][] = [];
    for (let i = 0; i < inFlight / PER_POD; i += TOGETHER) {
      const { length } = pods;
      const made = Array.from({ length: TOGETHER }, (_, j) => enclave(running, `bench-${length + j}`));
      pods.push(...(await Promise.all(made)));
    }
    const setup = {
      host: world.agentHost,
      port: AGENT_PORT,
      serverName: world.agentName,
      roots: world.roots.system.map((der) => encodePem('CERTIFICATE', der)).join(''),
    };
    for (let i = 0; i < PROCESSES; i += 1) {
      const child = fork(resolve('bench/quote-clients.ts'));
      processes.push(child);
      await tell(child, { ...setup, pods: pods.filter((_, at) => at % PROCESSES === i) });
    }
    const { agentHost } = world;
    return {
      tpm,
      rate: async (ms) => {
        const reports = await Promise.all(
          processes.map((each) => tell<ClientsReport>(each, { ms, all: true })),
        );
        return (reports.reduce((sum, { answered }) => sum + answered, 0) * 1000) / ms;
      },
      idle: async (ms) => {
        const before = await timeInQuote(agentHost);
        const [first] = processes;
        if (first === undefined) throw new Error('no clients');
        const { latencies } = await tell<ClientsReport>(first, { ms, all: false });
        const after = await timeInQuote(agentHost);
        const each = ((after.seconds - before.seconds) * 1000) / (after.count - before.count);
        // Mean from mean: the agent does not say how long the TPM was at each.
        const mean = latencies.reduce((sum, latency) => sum + latency, 0) / latencies.length;
        return { ms: mean - each, rate: (latencies.length * 1000) / ms };
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function tell<T>(child: ChildProcess, message: ClientsSetup | ClientsTask): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(new Error('a client process has ended'));
    child.once('exit', gone);
    child.once('message', (answer) => {
      child.off('exit', gone);
      resolve(answer as T);
    });
    child.send(message);
  });
}

async function enclave(world: AgentWorld, name: string): Promise<ClientsSetup['pods'][number]> {
  const { pod, address } = await world.enclave(name);
  const token = await world.token(pod);
  const calls = new SidecarCalls(world, address, token);
  const { chain, request } = await calls.credential();
  calls.close();
  const text = (der: Uint8Array): string => Buffer.from(der).toString('base64');
  return { address, token, chain: chain.map(text), request: text(request), connections: PER_POD };
}

/** The agent's own measure of the TPM: TPM2_Quote alone. */
async function timeInQuote(host: string): Promise<{ seconds: number; count: number }> {
  const text = await (await fetch(`http://${host}:9464/metrics`)).text();
  const value = (name: string): number =>
    Number(
      new RegExp(`^enclave_agent_tpm_command_seconds_${name}{command="TPM2_Quote"} (.*)$`, 'm').exec(
        text,
      )?.[1],
    );
  return { seconds: value('sum'), count: value('count') };
}
