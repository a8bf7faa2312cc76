import { isAbsolute, join } from 'node:path';

export interface Folders {
  /** Pinned roots and settings: what `init` writes. */
  readonly config: string;
  /** Session, keys, certificates, bundles: mode 0600, folders 0700. */
  readonly state: string;
}

/** XDG Base Directory Specification 0.8: relative values are ignored. */
export function xdgFolders(environment: Readonly<Record<string, string | undefined>>, home: string): Folders {
  const folder = (name: string, ...fallback: string[]): string => {
    const value = environment[name];
    return join(value !== undefined && isAbsolute(value) ? value : join(home, ...fallback), 'enclavectl');
  };
  return {
    config: folder('XDG_CONFIG_HOME', '.config'),
    state: folder('XDG_STATE_HOME', '.local', 'state'),
  };
}
