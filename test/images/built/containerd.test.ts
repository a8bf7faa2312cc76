/** On containerd and runc of the real cluster: `PROGRAMS` is the folder that tools/kubernetes/build.sh prints. Needs root. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VERSION } from '../../../names/version.ts';
import { until } from '../../support/until.ts';
import { archiveOf, NAMES, WRITTEN } from './archives.ts';

const PROGRAMS = process.env.PROGRAMS ?? '';
const folder = mkdtempSync('/run/enclave-images-');
const socket = join(folder, 'containerd.sock');
let daemon: ChildProcess;

function program(name: string, ...args: string[]): string {
  return execFileSync(join(PROGRAMS, name), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function ctr(...args: string[]): string {
  return program('ctr', '--address', socket, ...args);
}

beforeAll(async () => {
  const configuration = join(folder, 'containerd.toml');
  writeFileSync(
    configuration,
    `version = 3
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri"]
[grpc]
  address = "${socket}"
`,
  );
  daemon = spawn(join(PROGRAMS, 'containerd'), ['--config', configuration], { stdio: 'ignore' });
  await until('containerd answers', answers);
});

function answers(): boolean {
  try {
    return ctr('version').length > 0;
  } catch {
    return false;
  }
}

afterAll(async () => {
  const ended = new Promise((resolve) => daemon.once('exit', resolve));
  daemon.kill();
  await ended;
  // containerd leaves its own mounts of images.
  for (const [, at = ''] of readFileSync('/proc/mounts', 'utf8').matchAll(/^\S+ (\S+)/gm))
    if (at.startsWith(`${folder}/`)) execFileSync('umount', [at]);
  rmSync(folder, { recursive: true, force: true });
});

/** What the restricted Pod Security Standard leaves a container, and less: no network at all. */
function lockedDown(root: string, args: readonly string[], entrypoint: readonly string[]): object {
  const namespaces = ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type }));
  return {
    ociVersion: '1.2.0',
    root: { path: root, readonly: true },
    process: {
      terminal: false,
      user: { uid: 65_532, gid: 65_532 },
      args: [...entrypoint, ...args],
      env: ['PATH=/usr/bin'],
      cwd: '/',
      noNewPrivileges: true,
      capabilities: { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] },
    },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
    ],
    linux: { namespaces },
  };
}

describe.each(NAMES)('%s', (name) => {
  const mounted = join(folder, name);
  const run = (args: readonly string[], entrypoint: readonly string[]) => {
    const bundle = join(folder, `${name}-bundle`);
    mkdirSync(bundle, { recursive: true });
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(lockedDown(mounted, args, entrypoint)));
    return program('runc', '--root', join(folder, 'runc'), 'run', '--bundle', bundle, name);
  };

  beforeAll(() => {
    ctr('images', 'import', '--local', archiveOf(name));
    mkdirSync(mounted);
    ctr('images', 'mount', WRITTEN[name]?.tag ?? '', mounted);
  });
  afterAll(() => {
    ctr('images', 'unmount', mounted);
  });

  test('containerd takes it by its digest, and it runs as it is meant to in a pod', () => {
    expect(ctr('images', 'list', `name==${WRITTEN[name]?.tag}`)).toContain(WRITTEN[name]?.digest);
    const { config } = JSON.parse(
      ctr('content', 'get', JSON.parse(ctr('content', 'get', WRITTEN[name]?.digest ?? '')).config.digest),
    );
    expect(run(['--version'], config.Entrypoint)).toBe(`${name} ${VERSION}\n`);
    expect(run(['--help'], config.Entrypoint)).toMatch(/^Usage: /);
  });

  test('nobody can write in it, and there is no shell to run', () => {
    const write = "require('node:fs').writeFileSync('/app/x', '')";
    expect(() => run(['-e', write], ['/usr/bin/node'])).toThrow(/EROFS/);
    expect(() => run(['-c', 'true'], ['/bin/sh'])).toThrow(/no such file/);
  });
});
