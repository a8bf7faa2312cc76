/** From exec to attested: the shipped bundle, with the real agent, certificate service and API server of a development cluster, and swtpm. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { SIDECAR_CONTAINER } from '../names/sidecar.ts';
import type { Pod } from '../platform/kube/resources.ts';
import { startAgentWorld } from '../test/support/agent-world.ts';
import { NODE_FLAGS } from '../tools/images/images.ts';
import { median } from './figures.ts';

const ROUNDS = 9;

/** Milliseconds. */
export interface StartTimes {
  readonly total: number;
  readonly tpm: number;
  /** Node's own start, imports and configuration; the rest is the log's. */
  readonly parts: Readonly<Record<string, number>>;
}

/** Medians; the first start, which finds a cold agent, is left out. @param main the bundle's main.js */
export async function startTimes(folder: string, main: string): Promise<StartTimes> {
  const world = await startAgentWorld();
  try {
    const { pod, address } = await world.enclave('bench');
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, await world.token(pod));
    const env = { ...environmentOf(pod, address, world.agentHost), ENCLAVE_SIDECAR_TOKEN_FILE: tokenFile };
    const rounds: StartTimes[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = await tpmMilliseconds(world.agentHost);
      const start = await attest(main, env);
      rounds.push({ ...start, tpm: (await tpmMilliseconds(world.agentHost)) - before });
      await pause(500);
    }
    const warm = rounds.slice(1);
    const parts = Object.keys(warm[0]?.parts ?? {}).map((name) => [
      name,
      median(warm.map((each) => each.parts[name] ?? 0)),
    ]);
    return {
      total: median(warm.map(({ total }) => total)),
      tpm: median(warm.map(({ tpm }) => tpm)),
      parts: Object.fromEntries(parts),
    };
  } finally {
    await world.stop();
  }
}

function environmentOf(pod: Pod, address: string, agentHost: string): Record<string, string> {
  const fields: Record<string, string | undefined> = {
    'status.podIP': address,
    'status.hostIP': agentHost,
    'spec.nodeName': pod.spec?.nodeName,
    'metadata.uid': pod.metadata?.uid,
  };
  const sidecar = pod.spec?.initContainers?.find(({ name }) => name === SIDECAR_CONTAINER);
  return Object.fromEntries(
    (sidecar?.env ?? []).map(({ name, value, valueFrom }) => [
      name,
      value ?? fields[valueFrom?.fieldRef?.fieldPath ?? ''] ?? '',
    ]),
  );
}

async function attest(main: string, env: Record<string, string>): Promise<Omit<StartTimes, 'tpm'>> {
  const begun = performance.now();
  const child = spawn(process.execPath, [...NODE_FLAGS, main], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = once(child, 'exit');
  let started = 0;
  try {
    for await (const line of createInterface(child.stdout)) {
      const said = JSON.parse(line) as Record<string, unknown>;
      if (said['msg'] === 'starting') started = performance.now() - begun;
      if (said['msg'] === 'no new certificate yet') throw new Error(line);
      if (said['msg'] !== 'certified and attested') continue;
      const total = performance.now() - begun;
      const parts: Record<string, number> = { 'node, imports, configuration': started };
      for (const step of ['key', 'prove', 'certify', 'quote']) parts[step] = Number(said[step]);
      const known = Object.values(parts).reduce((sum, each) => sum + each, 0);
      return { total, parts: { ...parts, 'listen, and the rest': total - known } };
    }
    throw new Error('the sidecar ended');
  } finally {
    child.kill('SIGKILL');
    await gone;
  }
}

/** All that the agent's TPM has worked so far. */
async function tpmMilliseconds(host: string): Promise<number> {
  const text = await (await fetch(`http://${host}:9464/metrics`)).text();
  const sums = [...text.matchAll(/^enclave_agent_tpm_command_seconds_sum\{[^}]*\} (\S+)$/gm)];
  return sums.reduce((sum, [, seconds]) => sum + Number(seconds) * 1000, 0);
}
