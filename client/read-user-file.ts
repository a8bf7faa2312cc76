import { readGivenFile, UnfitFile } from '../platform/files/read-given-file.ts';
import { usage } from './failure.ts';

const REMEDIES: Readonly<Record<UnfitFile['code'], string>> = {
  'not-a-file': 'give the name of a file',
  'file-too-large': 'give the file that is meant here',
  'pipe-silent': 'give a file, or a pipe that something writes to',
};

/**
 * All of a file that somebody names: a pipe too, but not one that is silent, a device, or a huge file.
 * @throws Failure when it cannot be taken; what the file system says otherwise
 */
export function readUserFile(path: string, most?: number): Buffer {
  try {
    return readGivenFile(path, most);
  } catch (error) {
    if (error instanceof UnfitFile) throw usage(error.code, error.message, REMEDIES[error.code]);
    throw error;
  }
}
