import { globSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { rolldown } from 'rolldown';
import type { Architecture } from './architecture.ts';

/**
 * The files that importing a native module can load on the architecture: paths from the checkout, like `node_modules/x/lib/index.js`. Those in JavaScript
 * are the ones that a bundler reaches; of the prebuilt addons the one whose name is `linux-<architecture>`.
 */
export async function nativeModuleFiles(
  name: string,
  arch: Architecture,
): Promise<ReadonlyMap<string, Buffer>> {
  const folder = join('node_modules', name);
  const real = realpathSync(folder);
  const scan = await rolldown({
    input: realpathSync(join(folder, 'package.json')).replace(/package\.json$/, mainOf(folder)),
    platform: 'node',
    external: /\.node$/,
    logLevel: 'silent',
  });
  const { output } = await scan.generate({ format: 'cjs' });
  await scan.close();
  const modules = output.flatMap((chunk) => (chunk.type === 'chunk' ? chunk.moduleIds : []));
  const outside = modules.filter((id) => !id.startsWith('\0') && !id.startsWith(`${real}/`));
  if (outside.length > 0)
    throw new Error(`${name} loads ${outside.join(', ')}: no rule says how to pack that`);
  const addons = globSync(`prebuilds/**/*.node`, { cwd: real }).filter((path) =>
    `${basename(dirname(path))}/${basename(path, '.node')}`.split('/').includes(`linux-${arch.npm}`),
  );
  if (addons.length !== 1) throw new Error(`${name} has no prebuilt addon for linux-${arch.npm}`);
  const paths = [
    'package.json',
    ...addons,
    ...globSync('LICENSE*', { cwd: real }),
    ...modules.filter((id) => !id.startsWith('\0')).map((id) => relative(real, id)),
  ];
  return new Map(paths.map((path) => [join(folder, path), readFileSync(join(real, path))]));
}

function mainOf(folder: string): string {
  const { main }: { main?: string } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return main ?? 'index.js';
}
