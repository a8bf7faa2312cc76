import { execFileSync } from 'node:child_process';
import { VERSION } from './npm-lock.ts';

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8' }).trim();
}

/** Where the sources come from and when they were committed: the same for every build of one commit. A changed checkout says so in its revision. */
export function sourceLabels(): { created: string; labels: Record<string, string> } {
  const created = new Date(Number(git('log', '-1', '--format=%ct')) * 1000).toISOString();
  const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
  return {
    created,
    labels: {
      'org.opencontainers.image.created': created,
      'org.opencontainers.image.licenses': 'Apache-2.0',
      'org.opencontainers.image.revision': `${git('rev-parse', 'HEAD')}${changed ? '-changed' : ''}`,
      'org.opencontainers.image.version': VERSION,
    },
  };
}
