import { existsSync } from 'node:fs';
import { ConfigError } from '../config/config-error.ts';
import { processEnvironment } from '../config/environment.ts';
import type { ConfigOf, Options } from '../config/option.ts';
import { readGivenFile } from '../files/read-given-file.ts';
import { addressText } from '../net/address-text.ts';
import { explain } from '../run/explain.ts';
import { createKube } from './create-kube.ts';
import type { Kube } from './kube.ts';
import type { ApiServer } from './transport.ts';

const IN_POD = '/var/run/secrets/kubernetes.io/serviceaccount';
const POD_TOKEN = `${IN_POD}/token`;
const POD_CA = `${IN_POD}/ca.crt`;

/** Spread into the options of every component that speaks to the API server. */
export const KUBE_OPTIONS = {
  kubeApi: {
    kind: 'string',
    help: 'URL of the API server (default from KUBERNETES_SERVICE_HOST and _PORT)',
  },
  kubeTokenFile: {
    kind: 'path',
    default: POD_TOKEN,
    help: "the pod's token, read anew when it changes",
  },
  kubeCaFile: { kind: 'path', default: POD_CA, help: "the API server's certificate authority" },
} as const satisfies Options;

/** A client by flags: the pod's own token and authority. @throws {ConfigError} */
export function kubeFromConfig(config: ConfigOf<typeof KUBE_OPTIONS> & { readonly bind: string }): Kube {
  const server = config.kubeApi ?? inCluster(processEnvironment());
  if (server === undefined)
    throw new ConfigError('--kube-api is required outside a pod (KUBERNETES_SERVICE_HOST is not set)');
  if (!URL.canParse(server) || new URL(server).protocol !== 'https:')
    throw new ConfigError('--kube-api must be an https URL');
  const token = cachedFile(config.kubeTokenFile);
  const ca = cachedFile(config.kubeCaFile);
  token();
  ca();
  return createKube({ server, ca, token: () => token().trim(), localAddress: config.bind });
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Undefined outside a pod. */
function inCluster(environment: Environment): string | undefined {
  const host = environment['KUBERNETES_SERVICE_HOST'];
  const port = environment['KUBERNETES_SERVICE_PORT'] ?? '443';
  if (host === undefined || host === '') return undefined;
  return `https://${addressText({ host, port: Number(port) })}`;
}

/** The API server as a pod's own service account reaches it; undefined outside a pod, or in one without a token. */
export function apiServerFromPod(environment: Environment): ApiServer | undefined {
  const server = inCluster(environment);
  if (server === undefined || !existsSync(POD_TOKEN)) return undefined;
  const token = cachedFile(POD_TOKEN);
  return { server, ca: cachedFile(POD_CA), token: () => token().trim() };
}

const FRESH_MS = 5_000;

/** A small file's text, read again when older than five seconds: the kubelet replaces tokens by renaming. */
function cachedFile(path: string): () => string {
  let text = '';
  let readAt = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    if (now - readAt < FRESH_MS) return text;
    try {
      text = readGivenFile(path).toString('utf8');
    } catch (error) {
      if (text === '') throw new ConfigError(`cannot read ${path}: ${explain(error)}`);
      // A replacement under way: the old text is good for a while yet.
    }
    readAt = now;
    return text;
  };
}
