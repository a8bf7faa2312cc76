import { execFileSync } from 'node:child_process';
import { VERSION } from '../../names/version.ts';
import packageJson from '../../package.json' with { type: 'json' };
import type { Image } from './images.ts';

export interface Source {
  /** When it was committed, RFC 3339. */
  readonly created: string;
  /** The commit; `-changed` follows if the checkout is not as it says. */
  readonly revision: string;
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8' }).trim();
}

/** Where the sources come from: the same for every build of one commit. */
export function source(): Source {
  const created = new Date(Number(git('log', '-1', '--format=%ct')) * 1000).toISOString();
  const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
  return { created, revision: `${git('rev-parse', 'HEAD')}${changed ? '-changed' : ''}` };
}

/** Annotations of OCI Image Format 1.1 (annotations.md). */
export function labelsOf({ created, revision }: Source, image: Image): Record<string, string> {
  const labels = {
    created,
    description: image.title,
    licenses: 'Apache-2.0',
    revision,
    // Where the commit is to be found, once the package says so.
    ...('repository' in packageJson && { source: String(packageJson.repository) }),
    title: image.name,
    version: VERSION,
  };
  return Object.fromEntries(
    Object.entries(labels).map(([name, value]) => [`org.opencontainers.image.${name}`, value]),
  );
}
