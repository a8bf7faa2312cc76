import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { ConfigError } from '../config/config-error.ts';
import { createKube } from './create-kube.ts';
import type { Kube } from './kube.ts';
import type { ApiServer } from './transport.ts';

interface KubeConfigFile {
  'current-context'?: string;
  contexts?: { name: string; context: { cluster: string; user: string } }[];
  clusters?: {
    name: string;
    cluster: { server: string; 'certificate-authority'?: string; 'certificate-authority-data'?: string };
  }[];
  users?: {
    name: string;
    user: {
      token?: string;
      'client-certificate'?: string;
      'client-certificate-data'?: string;
      'client-key'?: string;
      'client-key-data'?: string;
    };
  }[];
}

/** The current context of a kubeconfig file: for tools, tests and operators' commands. @throws {ConfigError} */
export function kubeFromKubeconfig(path: string, localAddress?: string): Kube {
  return createKube({ ...apiServerFromKubeconfig(path), ...(localAddress && { localAddress }) });
}

/** Server, authority and credentials of the current context. Authentication plugins are not supported. @throws {ConfigError} */
export function apiServerFromKubeconfig(path: string): ApiServer {
  const file = parse(readFileSync(path, 'utf8')) as KubeConfigFile;
  const context = file.contexts?.find((each) => each.name === file['current-context'])?.context;
  const cluster = file.clusters?.find((each) => each.name === context?.cluster)?.cluster;
  const user = file.users?.find((each) => each.name === context?.user)?.user;
  if (cluster === undefined || user === undefined)
    throw new ConfigError(`${path}: the current context has no cluster or user`);
  const read = (data: string | undefined, name: string | undefined): string | undefined => {
    if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
    return name === undefined ? undefined : readFileSync(resolve(dirname(path), name), 'utf8');
  };
  const ca = read(cluster['certificate-authority-data'], cluster['certificate-authority']);
  const cert = read(user['client-certificate-data'], user['client-certificate']);
  const key = read(user['client-key-data'], user['client-key']);
  const { token } = user;
  if (ca === undefined) throw new ConfigError(`${path}: the cluster has no certificate authority`);
  return {
    server: cluster.server,
    ca: () => ca,
    ...(token !== undefined && { token: () => token }),
    ...(cert !== undefined && key !== undefined && { clientCertificate: { cert, key } }),
  };
}
