import { stringify } from 'yaml';

/** A kubeconfig with one user, everything embedded. */
export function kubeconfig(of: {
  /** What kubectl calls cluster and context. */
  readonly cluster?: string;
  readonly url: string;
  readonly caPem: string;
  readonly user: string;
  readonly certPem: string;
  readonly keyPem: string;
}): string {
  const base64 = (pem: string): string => Buffer.from(pem).toString('base64');
  const cluster = of.cluster ?? 'devcluster';
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: cluster, cluster: { server: of.url, 'certificate-authority-data': base64(of.caPem) } },
    ],
    users: [
      {
        name: of.user,
        user: { 'client-certificate-data': base64(of.certPem), 'client-key-data': base64(of.keyPem) },
      },
    ],
    contexts: [{ name: cluster, context: { cluster, user: of.user } }],
    'current-context': cluster,
  });
}
