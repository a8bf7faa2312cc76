/** What the shipped bundle loads, where it may run, and what it leaves behind. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { SIDECAR_USER } from '../../injection/template.ts';
import { bundle } from '../../tools/bundle.ts';
import { loopbackAddress } from '../support/loopback-block.ts';
import { until } from '../support/until.ts';
import { agentFixture, dial, echoApp, tokenFile, undo, undoAll } from './sidecar-fixture.ts';
import { type SidecarProcess, type SidecarProcessOptions, startSidecarProcess } from './sidecar-process.ts';
import { owner, userCredential } from './trust-fixture.ts';

const HEAVY = /node_modules\/(@kubernetes|@grpc|fastify|pino|prom-client|protobufjs|reflect-metadata)\//;
const ON_DEMAND = /node_modules\/(jose|yaml)\//;

let folder: string;
let main: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'small-'));
  chmodSync(folder, 0o755);
  await bundle({ entry: 'sidecar/main.ts', directory: join(folder, 'dist'), file: 'main', small: true });
  main = join(folder, 'dist', 'main.js');
});
afterEach(undoAll);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function ready(
  changes: Readonly<Record<string, string>>,
  options: Partial<SidecarProcessOptions> = {},
): Promise<SidecarProcess & { bind: string }> {
  const agent = await agentFixture();
  const app = await echoApp();
  const bind = loopbackAddress();
  const token = tokenFile();
  chmodSync(join(token, '..'), 0o755);
  const upstream = String(app.port);
  const started = startSidecarProcess({ main, bind, agent, upstream, tokenFile: token, changes, ...options });
  undo.push(async () => {
    started.child.kill('SIGKILL');
    await started.gone;
  });
  await until('readiness', async () => {
    if (started.child.exitCode !== null) throw new Error(started.said());
    const answer = await fetch(`http://${bind}:9464/readyz`).catch(() => undefined);
    return answer?.status === 200;
  });
  return { bind, ...started };
}

describe('what is loaded', () => {
  test('no chunk holds a heavy package; jose and yaml are in none that is loaded at the start', async () => {
    const { rolldown } = await import('rolldown');
    const made = await rolldown({ input: 'sidecar/main.ts', platform: 'node', logLevel: 'silent' });
    const { output } = await made.generate({ format: 'esm', entryFileNames: 'main.js' });
    await made.close();
    const chunks = new Map(output.flatMap((each) => (each.type === 'chunk' ? [[each.fileName, each]] : [])));
    const modules = [...chunks.values()].flatMap(({ moduleIds }) => moduleIds);
    expect(modules.filter((id) => HEAVY.test(id))).toEqual([]);
    expect(modules.filter((id) => ON_DEMAND.test(id)).length).toBeGreaterThan(0);
    const atStart = new Set<string>();
    const walk = (name: string): void => {
      if (atStart.has(name)) return;
      atStart.add(name);
      for (const next of chunks.get(name)?.imports ?? []) walk(next);
    };
    walk('main.js');
    const first = [...atStart].flatMap((name) => chunks.get(name)?.moduleIds ?? []);
    expect(first.filter((id) => ON_DEMAND.test(id))).toEqual([]);
    expect([...atStart]).not.toContain('node:http2');
  });

  test.each([
    ['tcp', 'mtls', false],
    ['http', 'mtls', true],
    ['http', 'jwt', true],
  ])('at run time, mode %s with %s: the bundle, and of Node what it needs', async (mode, auth, http2) => {
    const list = join(folder, 'loaded.txt');
    const hook = join(folder, 'hook.cjs');
    writeFileSync(list, '');
    writeFileSync(
      hook,
      `const { appendFileSync } = require('node:fs');
       require('node:module').registerHooks({ load(url, context, next) { appendFileSync(${JSON.stringify(list)}, url + '\\n'); return next(url, context); } });`,
    );
    const { bind } = await ready(
      { ENCLAVE_SIDECAR_MODE: mode, ENCLAVE_SIDECAR_AUTH: auth },
      { command: [process.execPath, '--require', hook] },
    );
    const socket = await dial(bind, userCredential(owner), { ALPNProtocols: ['http/1.1'] });
    socket.destroy();
    const loaded = readFileSync(list, 'utf8').trim().split('\n');
    const files = loaded.filter((url) => url.startsWith('file:'));
    expect(files.length).toBeGreaterThan(0);
    expect(files.every((url) => url.startsWith(`file://${join(folder, 'dist')}/`))).toBe(true);
    expect(loaded.includes('node:http2')).toBe(http2);
    expect(files.some((url) => readFileSync(new URL(url), 'utf8').includes('ERR_JOSE_GENERIC'))).toBe(false);
  });

  test('the bundle is ASCII, so that V8 keeps one byte a character', () => {
    for (const name of readdirSync(join(folder, 'dist')))
      expect(readFileSync(join(folder, 'dist', name), 'latin1'), name).toMatch(/^\p{ASCII}*$/u);
  });
});

test('runs as its numbered user, without a home or a temporary folder, and can write no byte to any file', async () => {
  const cwd = join(folder, 'cwd');
  mkdirSync(cwd, { mode: 0o700 });
  const root = process.getuid?.() === 0;
  const user = String(SIDECAR_USER);
  // It could write here: what it left would be seen.
  if (root) chownSync(cwd, SIDECAR_USER, SIDECAR_USER);
  const drop = [
    `--reuid=${user}`,
    `--regid=${user}`,
    '--clear-groups',
    '--bounding-set=-all',
    '--no-new-privs',
  ];
  // Node lies where this user may not look.
  const node = join(folder, 'node');
  cpSync(process.execPath, node);
  chmodSync(node, 0o755);
  const limited = ['prlimit', '--fsize=0', ...(root ? ['setpriv', ...drop] : []), node];
  const { bind, child, gone, said } = await ready({}, { command: limited, cwd });
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  if (root) expect(status).toMatch(new RegExp(`^Uid:\\s+${user}\\s+${user}`, 'm'));
  expect(status).toMatch(/^CapEff:\s+0+$/m);
  const socket = await dial(bind, userCredential(owner), { ALPNProtocols: ['h2'] });
  socket.write('hello');
  expect(String(await new Promise((resolve) => socket.once('data', resolve)))).toBe('hello');
  socket.destroy();
  child.kill('SIGTERM');
  expect(await gone).toEqual([0, null]);
  expect(said()).toContain('stopped');
  expect(readdirSync(cwd)).toEqual([]);
  if (!root) return;
  const places = ['/tmp', '/var/tmp', '/dev/shm', '/run'];
  const found = execFileSync('find', [...places, '-xdev', '-uid', user, '-not', '-path', `${cwd}`], {
    encoding: 'utf8',
  });
  expect(found).toBe('');
});
