import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createKube } from '../../platform/kube/create-kube.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { KubeError } from '../../platform/kube/kube-error.ts';
import { apiServerFromKubeconfig } from '../../platform/kube/kubeconfig.ts';
import type { ApiServer } from '../../platform/kube/transport.ts';
import { explain } from '../../platform/run/explain.ts';
import { Failure } from '../failure.ts';
import type { Workspace } from './workspace.ts';

export interface AdminFlags {
  /** Namespace of the release. */
  readonly namespace: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly yes?: boolean;
}

/** With the operator's own credentials, as kubectl finds them: a kubeconfig, or in a pod without one its service account's. */
export async function withCluster<T>(
  workspace: Workspace,
  flags: AdminFlags,
  work: (kube: Kube, api: ApiServer) => Promise<T>,
): Promise<T> {
  const api = apiServer(workspace, flags);
  const kube = createKube(api);
  try {
    return await work(kube, api);
  } catch (error) {
    throw inWords(error, api.server);
  } finally {
    kube.close();
  }
}

function apiServer({ settings, home }: Workspace, { kubeconfig, context }: AdminFlags): ApiServer {
  const given = kubeconfig ?? settings.kubeconfig();
  const own = join(home, '.kube', 'config');
  if (given === undefined && context === undefined && !existsSync(own)) {
    const pod = settings.podsApiServer();
    if (pod !== undefined) return pod;
  }
  return apiServerFromKubeconfig(given === undefined ? [own] : given.split(':').filter(Boolean), context);
}

function inWords(error: unknown, server: string): unknown {
  if (error instanceof KubeError) {
    const remedy =
      error.status === 403 ? 'docs/certs.md lists the rights that an operator needs' : 'check the kubeconfig';
    const kind = error.status >= 500 ? 'fault' : 'not-allowed';
    return new Failure(
      kind,
      `api-server-${error.reason.toLowerCase() || error.status}`,
      error.message,
      remedy,
    );
  }
  // Node's own errors of connections have a code.
  if (error instanceof Failure || !(error instanceof Error) || !('code' in error)) return error;
  return new Failure(
    'unreachable',
    'api-server-unreachable',
    `${server}: ${explain(error)}`,
    'check the server and the certificate authority in the kubeconfig',
  );
}
