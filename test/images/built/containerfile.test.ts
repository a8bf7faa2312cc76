/** With buildah from Debian, as root, without network. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  globSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { archiveOf, blob, configurationOf, manifestOf } from './archives.ts';

const folder = mkdtempSync(join(tmpdir(), 'containerfile-'));
const storage = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs'];
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function buildah(...args: string[]): string {
  return execFileSync('unshare', ['--net', 'buildah', ...storage, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

/** Path, type and mode, owner, time, content. */
function listing(root: string): string[] {
  return globSync('**', { cwd: root, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => path !== root)
    .map((path) => {
      const { mode, uid, gid, mtimeMs } = lstatSync(path);
      const content = lstatSync(path).isSymbolicLink()
        ? readlinkSync(path)
        : lstatSync(path).isFile()
          ? createHash('sha256').update(readFileSync(path)).digest('hex')
          : '';
      return [path.slice(root.length), mode.toString(8), uid, gid, mtimeMs, content].join(' ');
    })
    .sort();
}

test.each(['enclave-sidecar', 'enclave-front'])('%s is the same image by the Containerfile', (name) => {
  const ours = join(folder, name);
  mkdirSync(ours);
  for (const { digest } of manifestOf(name).layers)
    execFileSync('tar', ['--extract', '--gzip', '--preserve-permissions', '--directory', ours], {
      input: blob(archiveOf(name), digest),
    });
  const labels = configurationOf(name).config['Labels'];
  const label = (key: string) => Object(labels)[`org.opencontainers.image.${key}`];
  const wishes = ['created', 'revision', 'version', 'description'].map(
    (key) => `${key.toUpperCase()}=${label(key)}`,
  );
  const policy = join(folder, 'policy.json');
  writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  const image = buildah(
    'build',
    '--quiet',
    `--signature-policy=${policy}`,
    '--timestamp=0',
    ...[`COMPONENT=${name}`, ...wishes].map((wish) => `--build-arg=${wish}`),
    ...(label('source') === undefined ? [] : [`--label=org.opencontainers.image.source=${label('source')}`]),
    '--file=tools/images/Containerfile',
    'dist/images/rootfs',
  );
  const container = buildah('from', `--signature-policy=${policy}`, '--pull-never', image);
  expect(listing(buildah('mount', container))).toEqual(listing(ours));
  const { config } = JSON.parse(buildah('inspect', '--type=image', image)).OCIv1;
  const { 'io.buildah.version': _, ...theirs } = config.Labels;
  expect({ ...config, Labels: theirs }).toEqual(configurationOf(name).config);
});
