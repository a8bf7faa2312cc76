import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { ConfigError } from '../config/config-error.ts';
import { readGivenFile } from '../files/read-given-file.ts';
import { readIfThere } from '../files/read-if-there.ts';
import { explain } from '../run/explain.ts';
import type { ApiServer } from './transport.ts';

type Entries<K extends string> = readonly ({ readonly name: string } & { readonly [_ in K]?: Settings })[];
type Settings = Readonly<Record<string, unknown>>;

interface KubeconfigFile {
  readonly 'current-context'?: string;
  readonly contexts?: Entries<'context'>;
  readonly clusters?: Entries<'cluster'>;
  readonly users?: Entries<'user'>;
}

/** What a setting asks for that is not done here, and what helps. A setting that is not obeyed must not be ignored. */
const UNSUPPORTED: Readonly<Record<'cluster' | 'user', Readonly<Record<string, string>>>> = {
  cluster: {
    'insecure-skip-tls-verify': 'the API server must be verified: give certificate-authority-data',
    'proxy-url': 'proxies are not supported: reach the API server directly',
  },
  user: {
    exec: "authentication plugins are not run: write a kubeconfig with a token (kubectl create token) or a client's certificate",
    'auth-provider':
      "authentication plugins are not run: write a kubeconfig with a token (kubectl create token) or a client's certificate",
    username: 'passwords are no longer accepted by API servers: use a token or a client certificate',
    as: 'impersonation is not supported: use the credentials of that user',
  },
};

/**
 * Server, authority and credentials of a context. Several files count as one, as for kubectl: the first that names something decides, and one
 * that is not there is passed over.
 * @param context default: the current one
 * @throws {ConfigError}
 */
export function apiServerFromKubeconfig(paths: string | readonly string[], context?: string): ApiServer {
  const list = typeof paths === 'string' ? [paths] : paths;
  const files = list.flatMap(readFile);
  const named = list.join(', ');
  if (files.length === 0) throw new ConfigError(`there is no kubeconfig at ${named}`);
  const wanted = context ?? files.map(({ file }) => file['current-context']).find(Boolean);
  if (wanted === undefined || wanted === '')
    throw new ConfigError(`${named}: there is no current context: choose one`);
  const chosen = find(files, 'contexts', 'context', wanted);
  if (chosen === undefined) throw new ConfigError(`${named}: there is no context ${wanted}`);
  const cluster = find(files, 'clusters', 'cluster', String(chosen.settings['cluster']));
  const user = find(files, 'users', 'user', String(chosen.settings['user']));
  if (cluster === undefined || user === undefined)
    throw new ConfigError(`${named}: context ${wanted} has no ${cluster === undefined ? 'cluster' : 'user'}`);
  cluster.refuse(UNSUPPORTED.cluster);
  user.refuse(UNSUPPORTED.user);
  return { ...serverOf(cluster), ...credentialsOf(user) };
}

function serverOf(cluster: Entry): Pick<ApiServer, 'server' | 'serverName' | 'ca'> {
  const server = cluster.text('server') ?? '';
  if (!URL.canParse(server) || new URL(server).protocol !== 'https:')
    throw new ConfigError(`${cluster.path}: the cluster's server must be an https URL`);
  const ca = cluster.content('certificate-authority');
  if (ca === undefined)
    throw new ConfigError(`${cluster.path}: the cluster has no certificate authority to verify it by`);
  const serverName = cluster.text('tls-server-name');
  return { server, ca: () => ca, ...(serverName !== undefined && { serverName }) };
}

function credentialsOf(user: Entry): Pick<ApiServer, 'token' | 'clientCertificate'> {
  const cert = user.content('client-certificate');
  const key = user.content('client-key');
  if ((cert === undefined) !== (key === undefined))
    throw new ConfigError(`${user.path}: the user has a client certificate or a key, not both`);
  const token = user.text('token');
  const tokenFile = user.text('tokenFile');
  if (token === undefined && tokenFile === undefined && cert === undefined)
    throw new ConfigError(`${user.path}: the user has neither a token nor a client certificate`);
  return {
    ...(token !== undefined && { token: () => token }),
    // As for kubectl, the file counts more; it is read anew, since tokens rotate.
    ...(tokenFile !== undefined && { token: () => user.read(tokenFile).trim() }),
    ...(cert !== undefined && key !== undefined && { clientCertificate: { cert, key } }),
  };
}

interface ReadFile {
  readonly path: string;
  readonly file: KubeconfigFile;
}

function readFile(path: string): ReadFile[] {
  try {
    const text = readIfThere(path)?.toString('utf8');
    if (text === undefined) return [];
    const file: unknown = parse(text);
    if (typeof file === 'object' && file !== null) return [{ path, file }];
  } catch (error) {
    throw new ConfigError(`${path}: ${explain(error)}`);
  }
  throw new ConfigError(`${path} is no kubeconfig`);
}

function find<L extends 'contexts' | 'clusters' | 'users', K extends 'context' | 'cluster' | 'user'>(
  files: readonly ReadFile[],
  list: L,
  member: K,
  name: string,
): Entry | undefined {
  for (const { path, file } of files) {
    const entries: readonly Settings[] = Array.isArray(file[list]) ? file[list] : [];
    const settings = entries.find((each) => each['name'] === name)?.[member];
    if (typeof settings === 'object' && settings !== null) return new Entry(path, settings as Settings);
  }
  return undefined;
}

/** A cluster, user or context, and the file that it stands in: paths inside are relative to that. */
class Entry {
  readonly path: string;
  readonly settings: Settings;

  constructor(path: string, settings: Settings) {
    this.path = path;
    this.settings = settings;
  }

  text(name: string): string | undefined {
    const value = this.settings[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  }

  /** `<name>-data` in base64, or the file that `<name>` names. */
  content(name: string): string | undefined {
    const data = this.text(`${name}-data`);
    if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
    const file = this.text(name);
    return file === undefined ? undefined : this.read(file);
  }

  read(file: string): string {
    const path = resolve(dirname(this.path), file);
    try {
      return readGivenFile(path).toString('utf8');
    } catch (error) {
      throw new ConfigError(`${this.path} names ${path}: ${explain(error)}`);
    }
  }

  refuse(unsupported: Readonly<Record<string, string>>): void {
    for (const [name, why] of Object.entries(unsupported)) {
      const value = this.settings[name];
      if (value !== undefined && value !== false && value !== '')
        throw new ConfigError(`${this.path}: ${name}: ${why}`);
    }
  }
}
