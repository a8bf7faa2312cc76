import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { ApiError } from './api-error.ts';
import type { User } from './call.ts';
import type { Cluster } from './cluster.ts';
import { TokenRefused } from './tokens.ts';

function unauthorized(): ApiError {
  return new ApiError(401, 'Unauthorized', 'Unauthorized');
}

/** Who asks: by client certificate (CN, and each O a group) or bearer token. Nobody else: there is no anonymous user. */
export async function authenticate(cluster: Cluster, request: IncomingMessage): Promise<User> {
  const byCertificate = fromCertificate(request);
  if (byCertificate !== undefined) return byCertificate;
  const bearer = /^bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (bearer === undefined) throw unauthorized();
  try {
    return (await cluster.tokens.verify(bearer, [cluster.tokens.issuer])).user;
  } catch (error) {
    if (error instanceof TokenRefused) throw unauthorized();
    throw error;
  }
}

function fromCertificate(request: IncomingMessage): User | undefined {
  const { socket } = request;
  if (!(socket instanceof TLSSocket)) return undefined;
  const peer = socket.getPeerCertificate();
  if (peer.raw === undefined) return undefined;
  // A certificate of another CA, or one that has expired, is no certificate: whoever shows it is told 401.
  if (!socket.authorized) throw unauthorized();
  const username = [peer.subject.CN].flat()[0];
  if (username === undefined || username === '') throw unauthorized();
  const groups = [peer.subject.O ?? []].flat();
  return {
    username,
    groups: [...groups.filter((group) => group !== 'system:authenticated'), 'system:authenticated'],
    extra: {
      'authentication.kubernetes.io/credential-id': [
        `X509SHA256=${createHash('sha256').update(peer.raw).digest('hex')}`,
      ],
    },
  };
}
