import { Agent, request } from 'node:https';
import { createSecureContext } from 'node:tls';
import {
  certifyRequest,
  certifyResponse,
  proveRequest,
  proveResponse,
  quoteRequest,
  quoteResponse,
} from '../../formats/evidence/agent-messages.ts';
import { type Bundle, encodeBundle } from '../../formats/evidence/bundle.ts';
import { decodeSignedTrustDocument } from '../../formats/evidence/signed-trust-document.ts';
import { parseTrustDocument, type TrustDocument } from '../../formats/evidence/trust-document.ts';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { AGENT_PATHS } from '../../names/wire.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { clientTlsOptions } from '../../platform/tls/dial.ts';
import { AGENT_PORT, type AgentWorld } from '../support/agent-world.ts';

export interface Answer {
  readonly status: number;
  readonly body: Uint8Array;
  /** Of a problem document. */
  readonly code?: string;
  readonly detail?: string;
  readonly remedy?: string;
  readonly reusedSocket: boolean;
}

/** Where an agent is, and what it must show. */
export type AgentSide = Pick<AgentWorld, 'agentHost' | 'agentName' | 'roots'>;

/** A sidecar as the agent sees it: one connection from one address, with one token. */
export class SidecarCalls {
  readonly #world: AgentSide;
  readonly #agent: Agent;
  readonly #token: string | undefined;
  readonly #socketPath: string | undefined;
  readonly key = generateKey();

  /** @param from the pod's address, or a Unix socket that leads to the agent from there */
  constructor(world: AgentSide, from: string | { readonly socketPath: string }, token: string | undefined) {
    this.#world = world;
    this.#socketPath = typeof from === 'string' ? undefined : from.socketPath;
    this.#token = token;
    const tls = clientTlsOptions({ roots: world.roots.system });
    this.#agent = new Agent({
      ...tls,
      // Made once: reading the roots costs more than a handshake.
      secureContext: createSecureContext(tls),
      keepAlive: true,
      maxSockets: 1,
      maxCachedSessions: 0,
      servername: world.agentName,
      ...(typeof from === 'string' && { localAddress: from }),
    });
  }

  call(method: string, path: string, body?: Uint8Array, type = 'application/x-protobuf'): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const outgoing = request({
        ...(this.#socketPath === undefined
          ? { host: this.#world.agentHost, port: AGENT_PORT }
          : { socketPath: this.#socketPath }),
        path,
        method,
        agent: this.#agent,
        headers: {
          ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
          ...(body && { 'content-type': type, 'content-length': body.length }),
        },
      });
      outgoing.on('error', reject);
      outgoing.on('response', (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const bytes = new Uint8Array(Buffer.concat(chunks));
          const isProblem = incoming.headers['content-type'] === 'application/problem+json';
          const { code, detail, remedy } = isProblem ? JSON.parse(Buffer.from(bytes).toString()) : {};
          const { reusedSocket } = outgoing;
          const answer = { status: incoming.statusCode ?? 0, body: bytes, reusedSocket };
          resolve(code === undefined ? answer : { ...answer, code, detail, remedy });
        });
      });
      outgoing.end(body);
    });
  }

  request(evidence?: Bundle): Uint8Array {
    const { spki, sign, scheme } = this.key;
    return buildCertificateRequest(
      { spki, ...(evidence && { evidence: encodeBundle(evidence) }) },
      sign,
      scheme,
    );
  }

  async prove(): Promise<Bundle> {
    const body = proveRequest.encode({ certificateRequest: this.request() });
    return evidenceOf(proveResponse.decode(must(await this.call('POST', AGENT_PATHS.prove, body))));
  }

  certify(certificateRequest: Uint8Array): Promise<Answer> {
    return this.call('POST', AGENT_PATHS.certify, certifyRequest.encode({ certificateRequest }));
  }

  /** The whole way to a certificate. */
  async credential(): Promise<{ chain: Uint8Array[]; request: Uint8Array }> {
    const certificateRequest = this.request(await this.prove());
    const answer = certifyResponse.decode(must(await this.certify(certificateRequest)));
    if (!answer.ok) throw new Error(answer.message);
    return { chain: answer.value.certificateChain, request: certificateRequest };
  }

  quoteAnswer(nonce: Uint8Array, shown?: { chain: Uint8Array[]; request: Uint8Array }): Promise<Answer> {
    const message = {
      nonce,
      certificateChain: shown?.chain ?? [],
      certificateRequest: shown?.request ?? new Uint8Array(0),
    };
    return this.call('POST', AGENT_PATHS.quote, quoteRequest.encode(message));
  }

  async quote(nonce: Uint8Array, shown?: { chain: Uint8Array[]; request: Uint8Array }): Promise<Bundle> {
    return evidenceOf(quoteResponse.decode(must(await this.quoteAnswer(nonce, shown))));
  }

  async trust(version: number): Promise<TrustDocument | undefined> {
    const answer = await this.call('GET', `${AGENT_PATHS.trust}?version=${version}`);
    if (answer.status === 204) return undefined;
    const signed = decodeSignedTrustDocument(must(answer));
    const parsed = signed.ok ? parseTrustDocument(signed.value.document) : signed;
    if (!parsed.ok) throw new Error(parsed.message);
    return parsed.value;
  }

  close(): void {
    this.#agent.destroy();
  }
}

function must(answer: Answer): Uint8Array {
  if (answer.status !== 200) throw new Error(`${answer.status}: ${Buffer.from(answer.body)}`);
  return answer.body;
}

function evidenceOf(
  answer: { ok: true; value: { evidence?: Bundle | undefined } } | { ok: false; message: string },
): Bundle {
  if (!answer.ok || answer.value.evidence === undefined)
    throw new Error(answer.ok ? 'no evidence' : answer.message);
  return answer.value.evidence;
}
