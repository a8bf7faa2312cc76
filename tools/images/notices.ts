import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockedPackage } from './npm-lock.ts';

const FILES = '{LICEN[CS]E,COPYING,NOTICE,license,licence}*';

/** The licence texts of npm packages, given by their paths: most licences ask that they go with every copy. */
export function notices(paths: readonly string[]): string {
  const parts = paths.map((path) => {
    const { version, license } = lockedPackage(path);
    const texts = globSync(FILES, { cwd: path })
      .sort()
      .map((name) => readFileSync(join(path, name), 'utf8').trim());
    const title = `${path.slice(path.lastIndexOf('node_modules/') + 13)} ${version}, ${license}`;
    return [title, '='.repeat(title.length), ...texts].join('\n\n');
  });
  return `${parts.join('\n\n\n')}\n`;
}
