import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Architecture, architecture } from './architecture.ts';
import { ENTRYPOINT, IMAGE_USER, IMAGES } from './images.ts';

/** Every native addon of an image is loaded. */
const LOAD = 'for (const path of process.argv.slice(1)) process.dlopen({ exports: {} }, path)';

/** Runs each image's program in its own file tree, so that a library that is missing is found here and not on a node. */
export function selfCheck(output: string, arch: Architecture): void {
  if (arch.oci !== architecture().oci) {
    console.log(`not run here: ${arch.oci} on ${architecture().oci}`);
    return;
  }
  for (const { name } of IMAGES) {
    const root = mkdtempSync(join(output, '.check-'));
    chmodSync(root, 0o755);
    try {
      cpSync(join(output, 'rootfs/base'), root, { recursive: true, verbatimSymlinks: true });
      cpSync(join(output, 'rootfs', name), root, { recursive: true, verbatimSymlinks: true });
      const addons = globSync('app/**/*.node', { cwd: root }).map((path) => `/${path}`);
      if (addons.length > 0) inside(root, [ENTRYPOINT[0], '-e', LOAD, ...addons]);
      inside(root, [...ENTRYPOINT, '--help']);
    } catch (error) {
      throw new Error(`${name} does not run in its own file tree: ${error}`);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  }
}

/** In a root of its own without network; without root's rights in a user namespace. */
function inside(root: string, command: readonly string[]): void {
  const asRoot = process.getuid?.() === 0;
  const user = asRoot ? [`--setuid=${IMAGE_USER}`, `--setgid=${IMAGE_USER}`] : ['--user', '--map-root-user'];
  const { status, stderr, error } = spawnSync('unshare', ['--net', ...user, `--root=${root}`, ...command], {
    env: { PATH: process.env.PATH },
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${error?.message ?? stderr}`);
}
