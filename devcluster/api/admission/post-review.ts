import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { Cluster } from '../cluster.ts';
import { dig, type Fields, isFields, text } from '../object.ts';
import { storageKey } from '../resource.ts';

const MOST_BYTES = 3 * 1024 * 1024;

interface Target {
  readonly options: RequestOptions;
  readonly url: string;
}

/** Where a WebhookClientConfig points to: a URL, or a Service by its cluster IP under the TLS name `<name>.<namespace>.svc`. */
function target(cluster: Cluster, config: unknown, seconds: number): Target {
  const query = `timeout=${seconds}s`;
  const ca = text(dig(config, 'caBundle'));
  const trust = ca === '' ? {} : { ca: Buffer.from(ca, 'base64').toString('utf8') };
  const service = dig(config, 'service');
  if (isFields(service)) {
    const name = text(service['name']);
    const namespace = text(service['namespace']);
    const held = cluster.store.get('services', storageKey(namespace, name));
    if (held === undefined) throw new Error(`service "${name}" not found`);
    const port = Number(service['port'] ?? 443);
    const servername = `${name}.${namespace}.svc`;
    const path = `${text(service['path']) || '/'}?${query}`;
    return {
      options: {
        host: text(dig(held, 'spec', 'clusterIP')),
        port,
        path,
        servername,
        headers: { host: `${servername}:${port}` },
        ...trust,
      },
      url: `https://${servername}:${port}${path}`,
    };
  }
  const url = new URL(text(dig(config, 'url')));
  url.search = query;
  const options = { host: url.hostname, port: url.port, path: `${url.pathname}${url.search}`, ...trust };
  return { options, url: url.href };
}

/** POSTs an AdmissionReview and gives back the parsed answer. Throws an Error that says where it went and what failed. */
export async function postReview(
  cluster: Cluster,
  config: unknown,
  seconds: number,
  review: Fields,
): Promise<unknown> {
  const { options, url } = target(cluster, config, seconds);
  const body = Buffer.from(JSON.stringify(review));
  const signal = AbortSignal.timeout(seconds * 1000);
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`Post "${url}": ${why}`));
    const outgoing = httpsRequest(
      {
        ...options,
        method: 'POST',
        agent: false,
        signal,
        headers: {
          ...(options.headers as Record<string, string> | undefined),
          'content-type': 'application/json',
          'content-length': body.length,
          accept: 'application/json',
        },
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        let length = 0;
        incoming.on('data', (chunk: Buffer) => {
          length += chunk.length;
          if (length > MOST_BYTES) outgoing.destroy(new Error('response too large'));
          chunks.push(chunk);
        });
        incoming.on('end', () => {
          const said = Buffer.concat(chunks).toString('utf8');
          if (incoming.statusCode !== 200) {
            reject(
              new Error(
                `an error on the server ("${said.trim().slice(0, 200)}") has prevented the request from succeeding`,
              ),
            );
            return;
          }
          try {
            resolve(JSON.parse(said));
          } catch {
            reject(new Error('could not parse webhook response: no JSON'));
          }
        });
        incoming.on('error', (error) => fail(signal.aborted ? 'context deadline exceeded' : error.message));
      },
    );
    outgoing.on('error', (error) => fail(signal.aborted ? 'context deadline exceeded' : error.message));
    outgoing.end(body);
  });
}
