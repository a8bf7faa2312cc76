/** A file tree that becomes a layer or a folder. Paths have no leading slash. Owner 0:0 and time 0 everywhere. */
export type Entry =
  | { readonly kind: 'file'; readonly mode: 0o644 | 0o755; readonly content: Buffer }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'folder' };

export type Tree = Map<string, Entry>;

/** Every path of the tree and the folders above it, sorted by their bytes, so that folders come before what is in them. */
export function complete(tree: Tree): [string, Entry][] {
  const all: Tree = new Map(tree);
  for (const path of tree.keys())
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1))
      if (!all.has(path.slice(0, at))) all.set(path.slice(0, at), { kind: 'folder' });
  return [...all].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

export function file(content: Buffer | string, mode: 0o644 | 0o755 = 0o644): Entry {
  return { kind: 'file', mode, content: Buffer.from(content) };
}
