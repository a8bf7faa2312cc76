import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { usage } from './failure.ts';

const PIECE = 65_536;
const MOST = 1024 * 1024;

/**
 * All of a file that somebody names: a pipe too, and no more of a device or a huge file than can be taken.
 * @throws Failure when it is a folder or larger than `most` bytes; what the file system says otherwise
 */
export function readUserFile(path: string, most = MOST): Buffer {
  const file = openSync(path, 'r');
  try {
    if (fstatSync(file).isDirectory())
      throw usage('not-a-file', `${path} is a folder`, 'give the name of a file');
    const pieces: Buffer[] = [];
    let size = 0;
    for (;;) {
      const piece = Buffer.allocUnsafe(PIECE);
      const length = readSync(file, piece);
      if (length === 0) return Buffer.concat(pieces, size);
      size += length;
      if (size > most)
        throw usage('file-too-large', `${path}: over ${most} bytes`, 'give the file that is meant here');
      pieces.push(piece.subarray(0, length));
    }
  } finally {
    closeSync(file);
  }
}
