import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKube } from '../platform/kube/create-kube.ts';
import type { Kube } from '../platform/kube/kube.ts';
import { apiServerFromKubeconfig } from '../platform/kube/kubeconfig.ts';
import { type ApiServer, startApiServer } from './api/api-server.ts';
import { type KeyPairPem, loadCertificateAuthority } from './api/certificate-authority.ts';
import type { DevclusterOptions } from './options.ts';

/** The API server that the nodes join: our own, or one that is there. */
export interface ControlPlane {
  /** https://host:port */
  readonly url: string;
  readonly caPem: string;
  /** A kubeconfig of group system:masters. */
  readonly adminKubeconfig: string;
  readonly clientCaPem: string;
  /** Our own API server; absent when joined. */
  readonly own?: ApiServer;
  issueClient(user: string, groups: readonly string[]): Promise<KeyPairPem>;
  close(): Promise<void>;
}

const ADDRESS = '127.0.0.1';

export async function openControlPlane(options: DevclusterOptions): Promise<ControlPlane> {
  if (options.kubeconfig !== undefined && options.clientCa !== undefined)
    return joinExisting(options.kubeconfig, options.clientCa);
  const { apiPort: port, serviceAccountKey } = options;
  const signingKeyPem = serviceAccountKey === undefined ? undefined : readFileSync(serviceAccountKey, 'utf8');
  const own = await startApiServer({ address: ADDRESS, port, signingKeyPem }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') throw error;
      throw new Error(`port ${port} on ${ADDRESS} is in use: choose another --api-port`);
    },
  );
  return {
    url: own.url,
    caPem: own.caPem,
    clientCaPem: own.caPem,
    adminKubeconfig: own.adminKubeconfig(),
    own,
    issueClient: own.issueClientCertificate,
    close: own.close,
  };
}

async function joinExisting(kubeconfig: string, clientCa: string): Promise<ControlPlane> {
  const api = apiServerFromKubeconfig(kubeconfig);
  const clientCaPem = readFileSync(join(clientCa, 'ca.crt'), 'utf8');
  const authority = await loadCertificateAuthority(
    clientCaPem,
    readFileSync(join(clientCa, 'ca.key'), 'utf8'),
  );
  return {
    url: api.server,
    caPem: api.ca(),
    clientCaPem,
    adminKubeconfig: readFileSync(kubeconfig, 'utf8'),
    issueClient: authority.issueClient,
    close: async () => {},
  };
}

/** A client of the control plane as one of its components. */
export async function kubeAs(plane: ControlPlane, user: string, groups: readonly string[]): Promise<Kube> {
  const { certPem, keyPem } = await plane.issueClient(user, groups);
  return createKube({
    server: plane.url,
    ca: () => plane.caPem,
    clientCertificate: { cert: certPem, key: keyPem },
  });
}
