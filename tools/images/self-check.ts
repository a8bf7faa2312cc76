import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ENTRYPOINT, IMAGE_USER } from './images.ts';
import type { Tree } from './tree.ts';
import { writeTree } from './write-tree.ts';

/** Every native addon of an image is loaded. */
const LOAD = 'for (const path of process.argv.slice(1)) process.dlopen({ exports: {} }, path)';

/** Runs each image's program in its own file tree, so that a library that is missing is found here and not on a node. */
export function selfCheck(base: Tree, components: ReadonlyMap<string, Tree>): void {
  const root = mkdtempSync(join(tmpdir(), 'enclave-images-'));
  try {
    writeTree(base, root);
    chmodSync(root, 0o755);
    for (const [name, tree] of components) {
      writeTree(tree, root);
      const addons = [...tree.keys()].filter((path) => path.endsWith('.node')).map((path) => `/${path}`);
      if (addons.length > 0) inside(root, name, [ENTRYPOINT[0], '-e', LOAD, ...addons]);
      inside(root, name, [...ENTRYPOINT, '--version']);
      for (const folder of ['app', `usr/share/doc/${name}`]) rmSync(join(root, folder), { recursive: true });
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** In a root of its own; for who is not root in a user namespace. */
function inside(root: string, name: string, command: readonly string[]): void {
  const asRoot = process.getuid?.() === 0;
  const user = asRoot ? [`--setuid=${IMAGE_USER}`, `--setgid=${IMAGE_USER}`] : ['--user', '--map-root-user'];
  const { status, stderr, error } = spawnSync('unshare', [...user, `--root=${root}`, ...command], {
    env: { PATH: process.env.PATH },
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (status !== 0)
    throw new Error(
      `${name} does not run in its own file tree: ${command.join(' ')}: ${error?.message ?? stderr.trim().replaceAll('\n', ' | ')}`,
    );
}
