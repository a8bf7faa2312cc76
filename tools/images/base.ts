import { existsSync, lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import type { Architecture } from './architecture.ts';
import { type DebianPackage, readLock } from './debian-lock.ts';
import { controlFields, debFile, withUnpacked } from './debian-packages.ts';
import { readElf, stripElf } from './elf.ts';
import { IMAGE_USER, NODE_PATH } from './images.ts';
import { nodePackage } from './node-package.ts';
import { file, type Tree } from './tree.ts';

export interface Base {
  readonly tree: Tree;
  readonly packages: readonly DebianPackage[];
  /** Names of the libraries in it. */
  readonly libraries: ReadonlySet<string>;
}

const ACCOUNTS: Tree = new Map([
  [
    'etc/passwd',
    file(`root:x:0:0:root:/:/nologin\nnonroot:x:${IMAGE_USER}:${IMAGE_USER}:nonroot:/:/nologin\n`),
  ],
  ['etc/group', file(`root:x:0:\nnonroot:x:${IMAGE_USER}:\n`)],
  // What a pod's /etc/hosts says goes before DNS.
  ['etc/nsswitch.conf', file('hosts: files dns\n')],
]);
/** A runtime mounts over them; on a root file system that is read-only it could not make them. */
const MOUNT_POINTS = ['dev', 'proc', 'sys'] as const;

/** What all images share: Node.js, the libraries that it is linked with, their licences, and one user. */
export function base(arch: Architecture, cache: string): Base {
  const packages = readLock(arch);
  const node = nodePackage(arch, cache);
  const binary = readFileSync(join(node, 'bin/node'));
  const tree: Tree = new Map([
    ...ACCOUNTS,
    ...MOUNT_POINTS.map((path) => [path, { kind: 'folder' }] as const),
    [NODE_PATH, file(stripElf(binary), 0o755)],
    ['usr/share/doc/nodejs/copyright', file(readFileSync(join(node, 'LICENSE')))],
  ]);
  const debs = packages.map((locked) => debFile(locked, cache));
  const libraries = withUnpacked(debs, (folder) => {
    tree.set('etc/os-release', file(readFileSync(join(folder, 'usr/lib/os-release'))));
    for (const { name } of packages) {
      const copyright = join(folder, 'usr/share/doc', name, 'copyright');
      // One of a source package's binary packages may hold it for all.
      if (existsSync(copyright)) tree.set(`usr/share/doc/${name}/copyright`, file(readFileSync(copyright)));
    }
    return addLibraries(tree, folder, arch, binary);
  });
  // Where scanners look for the packages of an image without a package manager.
  for (const [i, { name }] of packages.entries())
    tree.set(`var/lib/dpkg/status.d/${name}`, file(controlFields(debs[i] ?? '')));
  return { tree, packages, libraries };
}

/** The dynamic linker, and every library that the program needs, directly or by another. Throws for one that no package has. */
function addLibraries(tree: Tree, folder: string, arch: Architecture, program: Buffer): Set<string> {
  const places = [`lib/${arch.triplet}`, `usr/lib/${arch.triplet}`];
  const { interpreter, needed } = readElf(program);
  if (interpreter !== undefined) addFile(tree, folder, interpreter.slice(1));
  const found = new Set<string>();
  const wanted = [...needed];
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    if (found.has(name)) continue;
    const place = places.find((each) => existsSync(join(folder, each, name)));
    if (place === undefined) throw new Error(`no package of tools/images/debian.lock has ${name}`);
    wanted.push(...readElf(addFile(tree, folder, `${place}/${name}`)).needed);
    found.add(name);
  }
  return found;
}

/** A file with the links that lead to it. */
function addFile(tree: Tree, folder: string, path: string): Buffer {
  const real = join(folder, path);
  if (lstatSync(real).isSymbolicLink()) {
    const target = readlinkSync(real);
    tree.set(path, { kind: 'link', target });
    return addFile(
      tree,
      folder,
      normalize(target.startsWith('/') ? target.slice(1) : join(dirname(path), target)),
    );
  }
  const content = readFileSync(real);
  tree.set(path, file(content, 0o755));
  return content;
}
