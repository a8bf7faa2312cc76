import { createServer } from 'node:https';
import { type AddressInfo, isIP } from 'node:net';
import { connectionCutter } from '../../platform/http/connection-cutter.ts';
import { createCertificateAuthority, type KeyPairPem } from './certificate-authority.ts';
import { Cluster } from './cluster.ts';
import { handle } from './handle.ts';
import { kubeconfig } from './kubeconfig.ts';
import { seed } from './seed.ts';
import { Store } from './store.ts';
import { createTokens } from './tokens.ts';

export interface ApiServerOptions {
  /** Loopback address to listen on. */
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  /** `iss` of service account tokens, and the API server's own audience. */
  readonly serviceAccountIssuer?: string;
  /** Key of service account tokens, PEM (default: a new one). */
  readonly signingKeyPem?: string | undefined;
  /** How long a good token is remembered (default 10 s, as kube-apiserver does). */
  readonly tokenCacheMs?: number;
  /** Changes kept a resource for watches that resume (default 1,000). */
  readonly historyLimit?: number;
}

export interface ApiServer {
  readonly url: string;
  readonly caPem: string;
  /** A kubeconfig of group system:masters. */
  adminKubeconfig(): string;
  /** A client certificate: CN is the user, each O a group. */
  issueClientCertificate(user: string, groups: readonly string[]): Promise<KeyPairPem>;
  /** A server certificate of the cluster's authority, for a kubelet: IP addresses and DNS names. */
  issueServerCertificate(names: {
    readonly dns: readonly string[];
    readonly ip: readonly string[];
  }): Promise<KeyPairPem>;
  /** Forgets the history of changes: every watch from an earlier resourceVersion has expired (410). */
  compact(): void;
  /** Goes away: nothing listens, every connection is cut. What is stored stays. */
  suspend(): Promise<void>;
  /** Comes back on the same port. */
  resume(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The development cluster's API server: objects in memory, over HTTPS. A development tool, measured by
 * test/contract/api-server.ts against a real kube-apiserver. What it does not know, on purpose: CEL (admission policies are
 * stored, never evaluated; of a CRD's rules only `self == oldSelf` counts), server-side apply, exec and its like,
 * scheduling, garbage collection by owner, quota, and that a role may not grant more than its author has.
 */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const authority = await createCertificateAuthority('devcluster-ca');
  const issuer = options.serviceAccountIssuer ?? 'https://kubernetes.default.svc.cluster.local';
  const store = new Store(options.historyLimit ?? 1000);
  const { signingKeyPem, tokenCacheMs = 10_000 } = options;
  const tokens = await createTokens(store, { issuer, signingKeyPem, cacheMs: tokenCacheMs });
  const cluster = new Cluster(store, authority, tokens);
  seed(cluster);
  const serving = await authority.issueServer([
    { type: isIP(options.address) === 0 ? 'dns' : 'ip', value: options.address },
    ...['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'].map(
      (value) => ({ type: 'dns', value }) as const,
    ),
  ]);
  const server = createServer(
    {
      cert: serving.certPem,
      key: serving.keyPem,
      ca: authority.caPem,
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => void handle(cluster, request, response),
  );
  // A resumed session would outlive the check of its certificate.
  server.keepAliveTimeout = 60_000;

  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, options.address, () => {
        server.removeListener('error', reject);
        resolve();
      });
    });
  const cut = connectionCutter(server);
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      cut();
    });

  await listen(options.port);
  const { port } = server.address() as AddressInfo;
  const url = `https://${options.address}:${port}`;
  cluster.address = `${options.address}:${port}`;
  const admin = await authority.issueClient('kubernetes-admin', ['system:masters']);
  return {
    url,
    caPem: authority.caPem,
    adminKubeconfig: () => kubeconfig({ url, caPem: authority.caPem, user: 'kubernetes-admin', ...admin }),
    issueClientCertificate: authority.issueClient,
    issueServerCertificate: ({ dns, ip }) =>
      authority.issueServer([
        ...dns.map((value) => ({ type: 'dns', value }) as const),
        ...ip.map((value) => ({ type: 'ip', value }) as const),
      ]),
    compact: () => cluster.store.compact(),
    suspend: stop,
    resume: () => listen(port),
    close: async () => {
      cluster.closing.abort();
      await stop();
    },
  };
}
