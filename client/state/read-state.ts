import { UnfitFile } from '../../platform/files/read-given-file.ts';
import { readIfThere } from '../../platform/files/read-if-there.ts';
import { usage } from '../failure.ts';

/**
 * A file that enclavectl wrote itself, as `parse` takes it; undefined when there is none.
 * @param parse undefined, or an error of any kind, for what enclavectl does not write
 * @param remedy what can be done when the file is not what was written
 * @throws Failure `state-damaged`, which says nothing of what the file holds; what the file system says otherwise
 */
export function readState<T>(
  path: string,
  parse: (text: string) => T | undefined,
  remedy = 'restore it, or move it away',
): T | undefined {
  let value: T | undefined;
  try {
    const text = readIfThere(path)?.toString('utf8');
    if (text === undefined) return undefined;
    value = parse(text);
  } catch (error) {
    // Of the file system's own errors each says what is wrong; a parser's may say what stands in the file.
    if (error instanceof Error && 'syscall' in error) throw error;
    if (error instanceof UnfitFile) throw usage('state-damaged', error.message, remedy);
  }
  if (value === undefined) throw usage('state-damaged', `${path} is damaged`, remedy);
  return value;
}

/** The JSON object, when all of these members are texts. */
export function objectWithTexts<T extends object>(
  text: string,
  ...names: readonly (keyof T & string)[]
): T | undefined {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) return undefined;
  return names.every((name) => typeof Reflect.get(value, name) === 'string') ? (value as T) : undefined;
}
