import { readFile } from 'node:fs/promises';
import { parseRoots, type Roots } from '../../formats/evidence/roots.ts';
import { ConfigError } from '../config/config-error.ts';
import { explain } from '../run/explain.ts';

/**
 * The first roots: `roots.json` as the certificate service published it.
 * @param path value of `--roots-file`
 * @throws ConfigError in one line when the file cannot be read or holds no good roots
 */
export async function readRootsFile(path: string): Promise<Roots> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`--roots-file ${path}: ${explain(error)}`);
  }
  const roots = parseRoots(text);
  if (!roots.ok) throw new ConfigError(`--roots-file ${path}: ${roots.message}`);
  return roots.value;
}
