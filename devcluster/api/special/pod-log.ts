import type { ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { ApiError, badRequest, internalError, notFound } from '../api-error.ts';
import type { Call } from '../call.ts';
import { dig, items, type KubeObject, text } from '../object.ts';
import { storageKey } from '../resource.ts';
import { specOf } from '../rules.ts';

/** GET pods/<name>/log: what the node's kubelet sends for /containerLogs, passed through as it comes. */
export async function podLog(call: Call, response: ServerResponse): Promise<void> {
  const { cluster, request, query } = call;
  const pod = cluster.store.get('pods', storageKey(request.namespace, request.name));
  if (pod === undefined) throw notFound(call.resource, request.name);
  const container = chooseContainer(pod, query.get('container') ?? '');
  const nodeName = text(specOf(pod)['nodeName']);
  if (nodeName === '') throw badRequest(`pod ${request.name} does not have a host assigned`);
  const node = cluster.store.get('nodes', storageKey(undefined, nodeName));
  if (node === undefined) throw notFound({ group: '', plural: 'nodes', kind: 'Node' }, nodeName);
  const host = items(dig(node, 'status', 'addresses')).find((each) => each['type'] === 'InternalIP');
  const port = dig(node, 'status', 'daemonEndpoints', 'kubeletEndpoint', 'Port');
  const asked = new URLSearchParams(query);
  asked.delete('container');
  const path = [request.namespace ?? '', request.name, container].map(encodeURIComponent).join('/');
  const client = await cluster.kubeletClient;
  await new Promise<void>((resolve, reject) => {
    const outgoing = httpsRequest(
      {
        host: text(host?.['address']),
        port: Number(port),
        path: `/containerLogs/${path}?${asked}`,
        cert: client.certPem,
        key: client.keyPem,
        // As kube-apiserver without --kubelet-certificate-authority: kubelets serve with certificates of their own.
        rejectUnauthorized: false,
        agent: false,
      },
      (incoming) => {
        if (incoming.statusCode !== 200) {
          let said = '';
          incoming.setEncoding('utf8');
          incoming.on('data', (chunk: string) => {
            said = (said + chunk).slice(0, 1000);
          });
          incoming.on('end', () => reject(fromKubelet(incoming.statusCode ?? 500, said.trim())));
          return;
        }
        response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
        response.flushHeaders();
        incoming.pipe(response);
        incoming.on('error', () => response.destroy());
        response.on('close', () => {
          outgoing.destroy();
          resolve();
        });
      },
    );
    outgoing.on('error', (error) =>
      reject(
        internalError(
          `Get "https://${text(host?.['address'])}:${port}/containerLogs/${path}": ${error.message}`,
        ),
      ),
    );
    outgoing.end();
  });
}

function fromKubelet(status: number, said: string): ApiError {
  const reason = status === 404 ? 'NotFound' : status === 400 ? 'BadRequest' : 'InternalError';
  return new ApiError(status, reason, said);
}

/** The container asked for; the only one, or the one that an annotation names, when none was. */
function chooseContainer(pod: KubeObject, asked: string): string {
  const spec = specOf(pod);
  const named = (list: string): string[] => items(spec[list]).map((each) => text(each['name']));
  if (asked !== '') {
    if (![...named('containers'), ...named('initContainers')].includes(asked))
      throw badRequest(`container ${asked} is not valid for pod ${pod.metadata.name}`);
    return asked;
  }
  const [only, ...more] = named('containers');
  if (only !== undefined && more.length === 0 && named('initContainers').length === 0) return only;
  const choice = `choose one of: [${named('containers').join(' ')}]`;
  const init = named('initContainers');
  const also = init.length === 0 ? '' : ` or one of the init containers: [${init.join(' ')}]`;
  throw badRequest(`a container name must be specified for pod ${pod.metadata.name}, ${choice}${also}`);
}
