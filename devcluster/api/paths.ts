import type { ServerResponse } from 'node:http';
import type { Cluster } from './cluster.ts';
import { discover } from './discovery.ts';
import { openApi } from './openapi.ts';
import { send } from './send.ts';

const VERSION = { major: '1', minor: '36', gitVersion: 'v1.36.3+devcluster', platform: 'linux/amd64' };
const OPENAPI_V2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
const HEALTH = ['/healthz', '/livez', '/readyz'];

/** Paths that name no resource: health, version, discovery, the keys of service account tokens. */
export async function servePath(cluster: Cluster, pathname: string, response: ServerResponse): Promise<void> {
  if (HEALTH.includes(pathname)) {
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end('ok');
    return;
  }
  if (pathname === '/openapi/v2') {
    // An empty document, which kubectl (it reads this one only for a List) takes as: nothing to check here.
    response.writeHead(200, { 'content-type': OPENAPI_V2 }).end();
    return;
  }
  const found = await document(cluster, pathname);
  if (found === undefined)
    response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n');
  else send(response, 200, found);
}

async function document(cluster: Cluster, pathname: string): Promise<ReturnType<typeof discover>> {
  if (pathname === '/version') return VERSION;
  if (pathname === '/openid/v1/jwks') return cluster.tokens.jwks();
  if (pathname === '/.well-known/openid-configuration')
    return {
      issuer: cluster.tokens.issuer,
      jwks_uri: `https://${cluster.address}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    };
  return (
    openApi(pathname, cluster.resources.all()) ?? discover(pathname, cluster.resources.all(), cluster.address)
  );
}
