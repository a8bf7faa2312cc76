import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import type { Socket } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { equalLists } from '../../formats/bytes/bytes.ts';
import { agentDnsName } from '../../names/components.ts';
import { MEDIA_TYPES } from '../../names/wire.ts';
import type { Live } from '../../platform/run/live.ts';
import { componentPeer } from '../../platform/tls/component-peer.ts';
import { clientTlsOptions } from '../../platform/tls/dial.ts';
import { AgentError, problemError } from './agent-error.ts';

export interface AgentLinkOptions {
  readonly host: string;
  readonly port: number;
  /** Its agent's certificate must name this node. */
  readonly node: string;
  /** The pod's own address: the agent compares it. */
  readonly localAddress: string;
  /** `system` roots, DER; they change with the trust document. */
  readonly roots: Live<readonly Uint8Array[]>;
  readonly tokenFile: string;
}

export interface AgentAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

export interface AgentCall {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Made when the connection is known: the first message on a connection may have to say more. */
  body?(socket: Socket): Uint8Array;
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/** Connections to the node's agent, kept alive. The token goes with each request: it is what makes a new connection ours. */
export interface AgentLink {
  /** @throws {AgentError} when the agent cannot be reached, or refuses */
  call(call: AgentCall, signal?: AbortSignal): Promise<AgentAnswer>;
  close(): void;
}

const CONNECTIONS = 6;

/** The agent's certificate: chain and time are TLS's to check; here its role and its node. */
function agentIdentity(node: string): typeof checkServerIdentity {
  return (_host, certificate) => {
    const peer = componentPeer(certificate.raw);
    if (!peer.ok) return new Error(peer.message);
    if (peer.value.component !== 'agent' || peer.value.node !== node)
      return new Error(`the peer is not the agent of node ${node}, but ${peer.value.dnsNames.join(', ')}`);
    return checkServerIdentity(agentDnsName(node), certificate);
  };
}

export function createAgentLink(options: AgentLinkOptions): AgentLink {
  const connect = (): Agent =>
    new Agent({
      ...clientTlsOptions({ roots: options.roots.current() }),
      keepAlive: true,
      maxSockets: CONNECTIONS,
      maxFreeSockets: CONNECTIONS,
      maxCachedSessions: 0,
      servername: agentDnsName(options.node),
      checkServerIdentity: agentIdentity(options.node),
      localAddress: options.localAddress,
    });
  let agent = connect();
  let roots = options.roots.current();
  const stop = options.roots.onChange((next) => {
    // A trust document comes each minute; its roots are seldom new.
    if (equalLists(next, roots)) return;
    roots = next;
    const old = agent;
    agent = connect();
    // Requests under way finish; idle connections go, and no other is kept.
    old.maxFreeSockets = 0;
    for (const sockets of Object.values(old.freeSockets))
      for (const socket of sockets ?? []) socket.destroy();
  });

  const send = (call: AgentCall, token: string, signal: AbortSignal): Promise<AgentAnswer> =>
    new Promise((resolve, reject) => {
      const outgoing = request({
        host: options.host,
        port: options.port,
        path: call.path,
        method: call.method,
        agent,
        signal,
        headers: {
          authorization: `Bearer ${token}`,
          accept: MEDIA_TYPES.protobuf,
          ...(call.body && { 'content-type': MEDIA_TYPES.protobuf }),
        },
      });
      outgoing.on('error', (error) => reject(new AgentError(error, { reused: outgoing.reusedSocket })));
      outgoing.once('socket', (socket) => outgoing.end(call.body?.(socket)));
      outgoing.once('response', (incoming) => {
        const chunks: Buffer[] = [];
        let size = 0;
        incoming.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > call.maxBytes)
            incoming.destroy(new Error(`the agent's answer is over ${call.maxBytes} bytes`));
          else chunks.push(chunk);
        });
        incoming.on('error', (error) => reject(new AgentError(error, {})));
        incoming.once('end', () => {
          const status = incoming.statusCode ?? 0;
          const body = Buffer.concat(chunks);
          if (status === 200 || status === 204) resolve({ status, body });
          else reject(problemError(status, body));
        });
      });
    });

  return {
    call: async (call, signal) => {
      const timeout = AbortSignal.timeout(call.timeoutMs);
      const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
      // Read each time: the kubelet replaces it long before it ends.
      // In one piece from a tmpfs: not worth the threads that an asynchronous read would start, and keep.
      const token = readFileSync(options.tokenFile, 'utf8').trim();
      try {
        return await send(call, token, either);
      } catch (error) {
        // An idle connection that the agent closed while we wrote: nothing was answered, one more try on a new one.
        if (error instanceof AgentError && error.reused && !either.aborted) return send(call, token, either);
        throw error;
      }
    },
    close: () => {
      stop();
      agent.destroy();
    },
  };
}
