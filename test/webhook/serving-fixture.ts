import { Agent, type AgentOptions, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:tls';
import { encodePem } from '../../formats/x509/pem.ts';
import type { Credential } from '../../platform/identity/credential.ts';
import { chainPem, privateKeyPem } from '../../platform/identity/credential.ts';
import { liveValue } from '../../platform/run/live.ts';
import { reloadOnChange } from '../../platform/tls/reload.ts';
import { serverTlsOptions } from '../../platform/tls/server-options.ts';
import type { CallerRules } from '../../webhook/callers.ts';
import { createWebhook } from '../../webhook/server.ts';
import { servingTls } from '../../webhook/serving-tls.ts';
import { CONFIG, enclavePod } from '../injection/support.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { createTestAuthority } from '../support/test-authority.ts';

export const NAME = 'enclave-webhook.enclave-licensing.svc';
export const authority = createTestAuthority();

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: unknown;
}

export interface Call {
  readonly path?: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly agent?: Agent;
}

/** An AdmissionReview of a pod's creation. */
export function reviewOf(pod: object): string {
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u-1',
      operation: 'CREATE',
      namespace: 'shop',
      resource: { group: '', version: 'v1', resource: 'pods' },
      userInfo: { username: 'someone', groups: [] },
      object: pod,
    },
  });
}

export const REVIEW = reviewOf(enclavePod());

/** A webhook that serves on loopback, wired as `app` does it; close it at the end. */
export async function serve(
  options: {
    callers?: CallerRules;
    draining?: AbortSignal;
    silenceMs?: number;
    /** The server's own, instead of one that `authority` issued. */
    credential?: Credential;
  } = {},
) {
  const { credential = authority.issue({ dns: [NAME] }), ...settings } = options;
  const { log, lines } = recordingLogger();
  const metrics = recordingMetrics();
  const identity = liveValue<Credential>(credential);
  const tls = servingTls(identity, options.callers?.clientRoots);
  const app = createWebhook({
    config: () => CONFIG,
    releaseNamespace: 'enclave-licensing',
    log,
    metrics,
    https: serverTlsOptions(tls.current()),
    ...settings,
  });
  const troubles: unknown[] = [];
  reloadOnChange(app.server as unknown as Server, tls, (error) => troubles.push(error));
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const rejected = (code: string): number => metrics.values.get(`rejected_total{code="${code}"}`) ?? 0;
  return { app, port, identity, lines, metrics, rejected, troubles, call: caller(port) };
}

/** As an API server calls: the Service's name is checked against caBundle, TLS sessions are not kept. */
export function agentOf(
  roots: readonly Uint8Array[] = [authority.root],
  credential?: Credential,
  more: AgentOptions = {},
): Agent {
  return new Agent({
    ca: roots.map((root) => encodePem('CERTIFICATE', root)),
    servername: NAME,
    maxCachedSessions: 0,
    ...(credential && { cert: chainPem(credential), key: privateKeyPem(credential.privateKey) }),
    ...more,
  });
}

function caller(port: number) {
  const plain = agentOf();
  return ({ path = '/mutate?timeout=10s', body = REVIEW, headers = {}, agent = plain }: Call = {}) =>
    new Promise<Answer>((resolve, reject) => {
      const call = request(
        {
          host: '127.0.0.1',
          port,
          path,
          agent,
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
            ...headers,
          },
        },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('error', reject);
          answer.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            resolve({
              status: answer.statusCode ?? 0,
              headers: answer.headers,
              body: text && JSON.parse(text),
            });
          });
        },
      );
      call.on('error', reject);
      call.end(body);
    });
}
