import { globSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Architecture } from './architecture.ts';
import { isElf, readElf } from './elf.ts';
import type { Image } from './images.ts';
import { nativeModuleFiles } from './native-modules.ts';
import { file, type Tree } from './tree.ts';

/** A component's bundle with the native modules that it imports, at /app. Throws if one of them needs a library that is not there. */
export async function component(
  image: Image,
  external: readonly string[],
  arch: Architecture,
  libraries: ReadonlySet<string>,
): Promise<Tree> {
  const folder = join('dist', image.bundle);
  const tree: Tree = new Map([['app/package.json', file('{"type":"module"}\n')]]);
  for (const path of globSync(`${folder}/**`, { withFileTypes: true }))
    if (path.isFile()) {
      const source = join(path.parentPath, path.name);
      tree.set(join('app', relative(folder, source)), file(readFileSync(source)));
    }
  if (!tree.has('app/main.js')) throw new Error(`${folder} has no main.js: run make build`);
  for (const name of external)
    for (const [path, content] of await nativeModuleFiles(name, arch)) {
      if (isElf(content)) {
        const missing = readElf(content).needed.filter((library) => !libraries.has(library));
        if (missing.length > 0)
          throw new Error(`${path} needs ${missing.join(', ')}, which the base has not`);
      }
      tree.set(join('app', path), file(content));
    }
  return tree;
}
