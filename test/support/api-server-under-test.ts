import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApiServer } from '../../devcluster/api/api-server.ts';
import { loadCertificateAuthority } from '../../devcluster/api/certificate-authority.ts';
import { apiServerFromKubeconfig } from '../../platform/kube/kubeconfig.ts';
import type { ApiServerUnderTest } from '../contract/api-client.ts';

/** A real kube-apiserver, when `make test-kube` runs this. */
const kubeconfig = process.env['ENCLAVE_TEST_KUBECONFIG'];
const clientCa = process.env['ENCLAVE_TEST_CLIENT_CA'] ?? '';

async function takeReal(file: string): Promise<ApiServerUnderTest> {
  const { server, ca } = apiServerFromKubeconfig(file);
  const authority = await loadCertificateAuthority(
    readFileSync(join(clientCa, 'ca.crt'), 'utf8'),
    readFileSync(join(clientCa, 'ca.key'), 'utf8'),
  );
  return {
    url: server,
    caPem: ca(),
    kubeconfig: file,
    issueClient: authority.issueClient,
    stop: async () => {},
  };
}

async function startOwn(): Promise<ApiServerUnderTest> {
  const directory = mkdtempSync(join(tmpdir(), 'api-'));
  const server = await startApiServer({ address: '127.0.0.1', port: 0, tokenCacheMs: 300 });
  const file = join(directory, 'admin.kubeconfig');
  writeFileSync(file, server.adminKubeconfig(), { mode: 0o600 });
  return {
    url: server.url,
    caPem: server.caPem,
    kubeconfig: file,
    issueClient: server.issueClientCertificate,
    stop: async () => {
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** CEL rules, for one, are proved there only. */
export const isRealApiServer = kubeconfig !== undefined;

/** The real one that `make test-kube` started, otherwise the development cluster's in this process. */
export function apiServerUnderTest(): Promise<ApiServerUnderTest> {
  return kubeconfig ? takeReal(kubeconfig) : startOwn();
}
