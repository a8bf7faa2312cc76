/** Anonymous memory of an idle sidecar beside a bare listener, both bundled the same way and alternating. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { chainPem, privateKeyPem } from '../platform/identity/credential.ts';
import { startFakeAgent } from '../test/sidecar/fake-agent.ts';
import { startSidecarProcess } from '../test/sidecar/sidecar-process.ts';
import { authorities, SERVER_NAME } from '../test/sidecar/trust-fixture.ts';
import { until } from '../test/support/until.ts';
import { bundle } from '../tools/bundle.ts';
import { median } from './figures.ts';

const ROUNDS = 5;
const IDLE_MS = 5000;
const HOST = '127.71.249.1';

/** Kilobytes of each, as `Anonymous` of smaps_rollup (proc(5)) has it. */
export interface IdleMemory {
  readonly bare: number;
  readonly tcp: number;
  readonly http: number;
}

/** @param main the sidecar's bundle */
export async function idleMemory(folder: string, main: string): Promise<IdleMemory> {
  const agent = await startFakeAgent('127.71.249.2');
  agent.lifetime = 86_400;
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, 'the-token\n');
  const credential = authorities.enclaves.issue({ dns: [SERVER_NAME] });
  writeFileSync(join(folder, 'key.pem'), privateKeyPem(credential.privateKey), { mode: 0o600 });
  writeFileSync(join(folder, 'certificate.pem'), chainPem(credential));
  const directory = join(folder, 'bare');
  await bundle({ entry: 'bench/bare-listener.ts', directory, file: 'main', small: true });
  const app = createServer((socket) => void socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
  await once(app, 'listening');
  const { port } = app.address() as AddressInfo;
  const sidecar = (mode: string): ChildProcess => {
    const changes = { ENCLAVE_SIDECAR_MODE: mode };
    const upstream = String(port);
    return startSidecarProcess({ main, bind: HOST, agent, upstream, tokenFile, changes }).child;
  };
  const starts = {
    bare: () =>
      spawn(process.execPath, [join(directory, 'main.js'), folder, HOST], { stdio: 'ignore', env: {} }),
    tcp: () => sidecar('tcp'),
    http: () => sidecar('http'),
  };
  const found = { bare: [] as number[], tcp: [] as number[], http: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1)
    for (const name of ['bare', 'tcp', 'http'] as const) found[name].push(await measure(starts[name]()));
  app.close();
  await agent.close();
  return { bare: median(found.bare), tcp: median(found.tcp), http: median(found.http) };
}

async function measure(child: ChildProcess): Promise<number> {
  const gone = once(child, 'exit');
  try {
    await until('port 8443 is open', () => opens(HOST));
    await pause(IDLE_MS);
    const rollup = readFileSync(`/proc/${child.pid}/smaps_rollup`, 'utf8');
    return Number(/^Anonymous:\s+(\d+) kB$/m.exec(rollup)?.[1]);
  } finally {
    child.kill('SIGKILL');
    await gone;
  }
}

function opens(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: 8443 })
      .once('connect', () => {
        socket.destroy();
        resolve(true);
      })
      .once('error', () => resolve(false));
  });
}
