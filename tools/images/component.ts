import { globSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Contents } from '../bundle.ts';
import type { Architecture } from './architecture.ts';
import { isElf, readElf } from './elf.ts';
import type { Image } from './images.ts';
import { nativeModuleFiles } from './native-modules.ts';
import { notices } from './notices.ts';
import { file, type Tree } from './tree.ts';

export interface Component {
  readonly tree: Tree;
  /** Paths in package-lock.json of the npm packages whose code is in it. */
  readonly packages: readonly string[];
}

/** A component's bundle with the native modules that it imports, at /app. Throws if one of them needs a library that is not there. */
export async function component(
  image: Image,
  contents: readonly Contents[],
  arch: Architecture,
  libraries: ReadonlySet<string>,
): Promise<Component> {
  const folder = join('dist', image.bundle);
  const tree: Tree = new Map([['app/package.json', file('{"type":"module"}\n')]]);
  for (const path of globSync(`${folder}/**`, { withFileTypes: true }))
    if (path.isFile()) {
      const source = join(path.parentPath, path.name);
      tree.set(join('app', relative(folder, source)), file(readFileSync(source)));
    }
  if (!tree.has('app/main.js')) throw new Error(`${folder} has no main.js: run make build`);
  const external = [...new Set(contents.flatMap((each) => each.external))];
  for (const name of external)
    for (const [path, content] of await nativeModuleFiles(name, arch)) {
      if (isElf(content)) {
        const missing = readElf(content).needed.filter((library) => !libraries.has(library));
        if (missing.length > 0)
          throw new Error(`${path} needs ${missing.join(', ')}, which the base has not`);
      }
      tree.set(join('app', path), file(content));
    }
  const bundled = contents.flatMap((each) => each.bundled);
  const packages = [...new Set([...bundled, ...external.map((name) => join('node_modules', name))])].sort();
  tree.set(`usr/share/doc/${image.name}/copyright`, file(notices(packages)));
  return { tree, packages };
}
