import { readGivenFile } from './read-given-file.ts';

/** Of what this product writes itself, nothing is larger. */
const MOST = 64 * 1024 * 1024;

/** A file's bytes; undefined when there is none. @throws what else the file system says */
export function readIfThere(path: string): Buffer | undefined {
  try {
    return readGivenFile(path, MOST);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Whether an error of the file system says that there is no such file or folder. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
