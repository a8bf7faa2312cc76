/** The sidecar as a proxy, beside HAProxy and stunnel: what a request, a byte, a handshake and an idle connection cost on the server's core. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { encodePem } from '../formats/x509/pem.ts';
import { chainPem, privateKeyPem } from '../platform/identity/credential.ts';
import { startFakeAgent } from '../test/sidecar/fake-agent.ts';
import { authorities, owner, SERVER_NAME, userCredential } from '../test/sidecar/trust-fixture.ts';
import { median } from './figures.ts';
import {
  missingTools,
  type ProxyProcess,
  startHaproxy,
  startSidecar,
  startStunnel,
  writeCertificates,
} from './proxy-servers.ts';
import type { LoadReport, LoadSetup, LoadTask } from './proxy-tasks.ts';

const CLIENT_CORE = '1';
const ROUNDS = 5;
const REQUESTS = { connections: 32, ms: 1200 };
const HANDSHAKES = { connections: 8, ms: 800 };
const BULK_BYTES = 256 * 2 ** 20;
/** Nearly as many as 20,000 file descriptors let the load hold at both ends; stunnel has a thread for each. */
const IDLE = 8000;
const IDLE_STUNNEL = 1000;

interface Load {
  readonly appPort: number;
  run(task: LoadTask): Promise<LoadReport>;
  close(): void;
}

async function startLoad(): Promise<Load> {
  const child = fork(resolve('bench/proxy-load.ts'), {
    execPath: 'taskset',
    execArgv: ['-c', CLIENT_CORE, process.execPath],
  });
  const ask = async (message: LoadSetup | LoadTask): Promise<LoadReport & { port: number }> => {
    const answered = once(child, 'message');
    child.send(message);
    const [answer] = (await answered) as [(LoadReport & { port: number }) | { failed: string }];
    if ('failed' in answer) throw new Error(`${JSON.stringify(message)}: ${answer.failed}`);
    return answer;
  };
  const client = userCredential(owner, {}, { notAfter: Math.floor(Date.now() / 1000) + 3600 });
  const { port } = await ask({
    cert: chainPem(client),
    key: privateKeyPem(client.privateKey),
    ca: encodePem('CERTIFICATE', authorities.enclaves.root),
    serverName: SERVER_NAME,
  });
  return { appPort: port, run: ask, close: () => void child.disconnect() };
}

interface Measured {
  /** Of the load: what was done a second. */
  readonly rate: number;
  /** Seconds of the server's CPU for one. */
  readonly cpu: number;
}

type Work =
  | { kind: 'requests' | 'handshakes'; connections: number; ms: number }
  | { kind: 'download' | 'upload'; connections: number; bytes: number };

/** Alternating: each proxy once a round. */
async function alternate(
  load: Load,
  proxies: readonly ProxyProcess[],
  work: Work,
): Promise<Map<ProxyProcess, Measured[]>> {
  const results = new Map<ProxyProcess, Measured[]>(proxies.map((proxy) => [proxy, []]));
  for (let round = 0; round < ROUNDS; round += 1)
    for (const [proxy, measured] of results) {
      const before = proxy.cpu();
      const { done, seconds } = await load.run({ ...work, host: proxy.host, port: proxy.port });
      measured.push({ rate: done / seconds, cpu: (proxy.cpu() - before) / done });
    }
  return results;
}

/** A row a proxy: rate, CPU for one, both as multiples of the first's in the same round. */
function table(
  title: string,
  unit: [string, number],
  cpuUnit: [string, number],
  results: Map<ProxyProcess, Measured[]>,
): void {
  const floor = [...results.values()].at(0) ?? [];
  console.log(`\n${title}\n\n| | ${unit[0]} | multiple | ${cpuUnit[0]} | multiple |\n|---|---|---|---|---|`);
  for (const [{ name }, measured] of results) {
    const of = (value: (each: Measured, round: number) => number): number => median(measured.map(value));
    const rate = of((each) => each.rate / unit[1]);
    const cpu = of((each) => each.cpu * cpuUnit[1]);
    const rates = of((each, round) => each.rate / (floor[round]?.rate ?? Number.NaN));
    const cpus = of((each, round) => each.cpu / (floor[round]?.cpu ?? Number.NaN));
    console.log(
      `| ${name} | ${rate.toFixed(rate < 100 ? 2 : 0)} | ${rates.toFixed(2)} | ${cpu.toFixed(1)} | ${cpus.toFixed(2)} |`,
    );
  }
}

async function idle(load: Load, proxies: readonly ProxyProcess[]): Promise<void> {
  console.log(
    `\nAn idle connection (one answer before), of ${IDLE} (stunnel: ${IDLE_STUNNEL})\n\n| | KB of anonymous memory |\n|---|---|`,
  );
  for (const proxy of proxies) {
    const before = proxy.anonymous();
    const connections = proxy.name === 'stunnel' ? IDLE_STUNNEL : IDLE;
    await load.run({ kind: 'open', connections, host: proxy.host, port: proxy.port });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    console.log(`| ${proxy.name} | ${((proxy.anonymous() - before) / connections / 1024).toFixed(1)} |`);
    await load.run({ kind: 'close', host: proxy.host, port: proxy.port });
  }
}

/** Prints Markdown tables; the first row of each is the floor. */
export async function benchProxy(): Promise<void> {
  const missing = missingTools();
  if (missing !== undefined) {
    console.error(missing);
    process.exitCode = 2;
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'bench-proxy-'));
  const agent = await startFakeAgent('127.72.0.1');
  const load = await startLoad();
  const running: ProxyProcess[] = [];
  const add = async (started: Promise<ProxyProcess>): Promise<ProxyProcess> => {
    const proxy = await started;
    running.push(proxy);
    return proxy;
  };
  try {
    agent.lifetime = 3600;
    const files = writeCertificates(folder);
    const haproxy = await add(startHaproxy('127.72.0.2', 'tcp', load.appPort, folder, files));
    const haproxyHttp = await add(startHaproxy('127.72.0.3', 'http', load.appPort, folder, files));
    const stunnel = await add(startStunnel('127.72.0.4', load.appPort, folder, files));
    const tcp = await add(startSidecar(agent, '127.72.0.5', 'tcp', load.appPort, folder));
    const http = await add(startSidecar(agent, '127.72.0.6', 'http', load.appPort, folder));
    const all = [haproxy, tcp, stunnel, haproxyHttp, http];
    const { cipher } = await load.run({
      kind: 'requests',
      connections: 1,
      ms: 300,
      host: tcp.host,
      port: tcp.port,
    });
    for (const proxy of all)
      await load.run({ kind: 'requests', ...REQUESTS, host: proxy.host, port: proxy.port });
    console.log(`${cipher}, client certificates required, no resumption`);
    table(
      '1 KB and 1 KB, keep-alive, 32 connections (1.25)',
      ['requests a second', 1],
      ['CPU, us a request', 1e6],
      await alternate(load, all, { kind: 'requests', ...REQUESTS }),
    );
    const raw = [haproxy, tcp, stunnel];
    for (const kind of ['download', 'upload'] as const)
      for (const connections of [1, 8])
        table(
          `${kind}, ${connections} connection${connections > 1 ? 's' : ''} (0.9)`,
          ['MB a second', 1e6],
          ['CPU, ms a GB', 1e12],
          await alternate(load, raw, { kind, connections, bytes: BULK_BYTES / connections }),
        );
    table(
      'full handshakes, each with one request',
      ['a second', 1],
      ['CPU, us each', 1e6],
      await alternate(load, raw, { kind: 'handshakes', ...HANDSHAKES }),
    );
    await idle(load, [haproxy, tcp, stunnel]);
  } finally {
    load.close();
    for (const proxy of running) await proxy.stop();
    await agent.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
