import { readFileSync } from 'node:fs';

/** The members of a closed union of codes in a source file. */
export function unionOf(file: string, name: string): string[] {
  const [, body = ''] =
    new RegExp(`export type ${name} =\\n(.*?);\\n`, 's').exec(readFileSync(file, 'utf8')) ?? [];
  return [...body.matchAll(/^ {2}\| '([a-z-]+)'/gm)].map(([, code = '']) => code);
}
