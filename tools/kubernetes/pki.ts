/** The certificates of a Kubernetes control plane, as files of one folder. Everything lasts a year and is thrown away with the folder. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCertificateAuthority, type KeyPairPem } from '../../devcluster/api/certificate-authority.ts';
import { kubeconfig } from '../../devcluster/api/kubeconfig.ts';

export interface Pki {
  readonly folder: string;
  readonly caPem: string;
  /** The administrator; also `admin.kubeconfig` of the folder. */
  readonly admin: KeyPairPem;
  /** Writes `<file>.kubeconfig` for a client certificate of this user and these groups. */
  writeKubeconfig(file: string, user: string, groups?: readonly string[]): Promise<void>;
}

/**
 * `ca`, `apiserver` (serving), `kubelet-client` (kube-apiserver to kubelets) as .crt and .key; `sa.key`, `sa.pub` for service accounts'
 * tokens; `admin.kubeconfig`.
 * @param url of the API server, for the kubeconfigs
 * @param addresses that clients dial it by
 */
export async function writePki(folder: string, url: string, addresses: readonly string[]): Promise<Pki> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const authority = await createCertificateAuthority('kubernetes-ca');
  const write = (name: string, text: string): void =>
    writeFileSync(join(folder, name), text, { mode: 0o600 });
  const serving = await authority.issueServer([
    ...addresses.map((value) => ({ type: 'ip', value }) as const),
    ...['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'].map(
      (value) => ({ type: 'dns', value }) as const,
    ),
    { type: 'dns', value: 'kubernetes.default.svc.cluster.local' },
  ]);
  const admin = await authority.issueClient('kubernetes-admin', ['system:masters']);
  const kubelet = await authority.issueClient('kube-apiserver-kubelet-client', ['system:masters']);
  const account = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  write('ca.crt', authority.caPem);
  write('ca.key', await authority.exportKey());
  write('apiserver.crt', serving.certPem);
  write('apiserver.key', serving.keyPem);
  write('kubelet-client.crt', kubelet.certPem);
  write('kubelet-client.key', kubelet.keyPem);
  write('sa.key', account.privateKey.export({ type: 'sec1', format: 'pem' }).toString());
  write('sa.pub', account.publicKey.export({ type: 'spki', format: 'pem' }).toString());
  const config = (user: string, pair: KeyPairPem): string =>
    kubeconfig({ cluster: 'kubernetes', url, caPem: authority.caPem, user, ...pair });
  write('admin.kubeconfig', config('kubernetes-admin', admin));
  return {
    folder,
    caPem: authority.caPem,
    admin,
    writeKubeconfig: async (file, user, groups = []) =>
      write(`${file}.kubeconfig`, config(user, await authority.issueClient(user, groups))),
  };
}
