import { parseRoots, type Roots } from '../../formats/evidence/roots.ts';
import { ConfigError } from '../config/config-error.ts';
import { readGivenFile } from '../files/read-given-file.ts';
import { explain } from '../run/explain.ts';

/**
 * The first roots: `roots.json` as the certificate service published it.
 * @param path value of `--roots-file`
 * @throws ConfigError in one line when the file cannot be read or holds no good roots
 */
export async function readRootsFile(path: string): Promise<Roots> {
  let text: string;
  try {
    text = readGivenFile(path).toString('utf8');
  } catch (error) {
    throw new ConfigError(`--roots-file ${path}: ${explain(error)}`);
  }
  const roots = parseRoots(text);
  if (!roots.ok) throw new ConfigError(`--roots-file ${path}: ${roots.message}`);
  return roots.value;
}
