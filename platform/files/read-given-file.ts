import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';

const PIECE = 65_536;
const MOST = 1024 * 1024;
/** How long a pipe may have no writer, and how long a writer may take in all, in milliseconds: somebody may be asked for a pass phrase meanwhile. */
const PATIENCE = { writer: 3_000, all: 60_000 };
const LOOK_MS = 20;

/** Why a file is not read. */
export class UnfitFile extends Error {
  override readonly name = 'UnfitFile';
  readonly code: 'not-a-file' | 'file-too-large' | 'pipe-silent';

  constructor(code: UnfitFile['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * All of a file that somebody names: a regular file, or a pipe (`<(...)`, `/dev/stdin`), which gets a time to fill. Opening waits for nobody, and nothing is read from a
 * device or a folder.
 * @param most bytes
 * @throws UnfitFile; what the file system says otherwise
 */
export function readGivenFile(path: string, most = MOST, patience = PATIENCE): Buffer {
  // Without O_NONBLOCK a pipe that nobody writes to would hold the whole process.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const kind = kindOf(fstatSync(file));
    if (kind !== 'file' && kind !== 'pipe') throw new UnfitFile('not-a-file', `${path} is a ${kind}`);
    const began = performance.now();
    const rest = (most: number): void => {
      if (performance.now() - began > most)
        throw new UnfitFile(
          'pipe-silent',
          `${path} is a pipe, and nobody wrote all of it in ${most / 1000} s`,
        );
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS);
    };
    const pieces: Buffer[] = [];
    let size = 0;
    for (let hasWriter = kind === 'file'; ; ) {
      const piece = Buffer.allocUnsafe(PIECE);
      const length = readNow(file, piece);
      if (length === 0 && hasWriter) return Buffer.concat(pieces, size);
      if (length === 0) {
        rest(patience.writer);
        continue;
      }
      hasWriter = true;
      if (length === undefined) {
        rest(patience.all);
        continue;
      }
      size += length;
      if (size > most) throw new UnfitFile('file-too-large', `${path}: over ${most} bytes`);
      pieces.push(piece.subarray(0, length));
    }
  } finally {
    closeSync(file);
  }
}

function kindOf(stats: Stats): 'file' | 'pipe' | 'folder' | 'device' {
  if (stats.isFile()) return 'file';
  if (stats.isFIFO()) return 'pipe';
  return stats.isDirectory() ? 'folder' : 'device';
}

/** Bytes read; 0 at the end, or where a pipe has no writer; undefined when its writer has said nothing yet. */
function readNow(file: number, piece: Buffer): number | undefined {
  try {
    return readSync(file, piece);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return undefined;
    throw error;
  }
}
