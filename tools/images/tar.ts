import { complete, type Entry, type Tree } from './tree.ts';

const BLOCK = 512;
const TYPE = { file: '0', link: '2', folder: '5' } as const;

/** Fields of a ustar header (POSIX.1-2017, pax, "ustar Interchange Format"): offset and length. */
const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  target: [157, 100],
  magic: [257, 8],
  prefix: [345, 155],
} as const;

/** A ustar archive of the tree. Throws for a path that ustar has no room for. */
export function tar(tree: Tree): Buffer {
  const parts: Buffer[] = [];
  for (const [path, entry] of complete(tree)) {
    parts.push(header(path, entry));
    if (entry.kind !== 'file') continue;
    parts.push(entry.content, Buffer.alloc((BLOCK - (entry.content.length % BLOCK)) % BLOCK));
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header(path: string, entry: Entry): Buffer {
  const block = Buffer.alloc(BLOCK);
  const set = (field: keyof typeof FIELD, value: string): void => {
    const [at, length] = FIELD[field];
    const bytes = Buffer.from(value);
    if (bytes.length > length) throw new Error(`${path}: no room in a ustar header for ${field}`);
    bytes.copy(block, at);
  };
  const octal = (field: keyof typeof FIELD, value: number): void =>
    set(field, `${value.toString(8).padStart(FIELD[field][1] - 1, '0')}\0`);
  const [prefix, name] = split(entry.kind === 'folder' ? `${path}/` : path);
  set('name', name);
  set('prefix', prefix);
  octal('mode', entry.kind === 'file' ? entry.mode : entry.kind === 'folder' ? 0o755 : 0o777);
  octal('uid', 0);
  octal('gid', 0);
  octal('size', entry.kind === 'file' ? entry.content.length : 0);
  octal('mtime', 0);
  set('type', TYPE[entry.kind]);
  if (entry.kind === 'link') set('target', entry.target);
  set('magic', 'ustar\x0000');
  set('checksum', ' '.repeat(8));
  const sum = block.reduce((total, byte) => total + byte, 0);
  set('checksum', `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}

/** A path in the name field, or cut at a slash into prefix and name. */
function split(path: string): [string, string] {
  if (Buffer.byteLength(path) <= FIELD.name[1]) return ['', path];
  const at = path.indexOf('/', path.length - FIELD.name[1] - 1);
  return at < 0 ? ['', path] : [path.slice(0, at), path.slice(at + 1)];
}
