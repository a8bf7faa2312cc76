import type { Socket } from 'node:net';
import {
  certifyRequest,
  certifyResponse,
  type MessageCodec,
  proveRequest,
  proveResponse,
  quoteRequest,
  quoteResponse,
} from '../../formats/evidence/agent-messages.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import {
  decodeSignedTrustDocument,
  MAX_SIGNED_TRUST_DOCUMENT_BYTES,
} from '../../formats/evidence/signed-trust-document.ts';
import type { SignedTrustDocument } from '../../formats/evidence/trust-document.ts';
import { AGENT_PATHS } from '../../names/wire.ts';
import { answerError } from './agent-error.ts';
import type { AgentLink } from './agent-link.ts';

/** A certificate and the request it came from: what the agent wants to see before it quotes. */
export interface Quotable {
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  readonly request: Uint8Array;
}

/** The agent's four calls. Each throws an AgentError. */
export interface AgentCalls {
  /** Evidence over the key of a request that has none yet. */
  prove(request: Uint8Array, signal: AbortSignal): Promise<Bundle>;
  /** The certificate chain for a request with evidence. */
  certify(request: Uint8Array, signal: AbortSignal): Promise<readonly Uint8Array[]>;
  /** Evidence over a certificate; an empty nonce stands for the epoch. */
  quote(nonce: Uint8Array, credential: Quotable, signal?: AbortSignal): Promise<Bundle>;
  /** The next trust document; undefined when there was none for a while. */
  trust(version: number, signal: AbortSignal): Promise<SignedTrustDocument | undefined>;
}

const PROVE_MS = 30_000;
/** The certificate service's watch, evaluation and signature are in this. */
const CERTIFY_MS = 90_000;
const QUOTE_MS = 30_000;
/** Longer than the agent holds a poll. */
const TRUST_MS = 45_000;

function decoded<T>(codec: MessageCodec<T>, body: Uint8Array): T {
  const message = codec.decode(body);
  if (!message.ok) throw answerError(message.message);
  return message.value;
}

function present(evidence: Bundle | undefined): Bundle {
  if (evidence === undefined) throw answerError('the agent’s answer holds no evidence');
  return evidence;
}

export function agentCalls(link: AgentLink): AgentCalls {
  /** Which certificate each connection has seen: it goes along with the first quote, and after renewal. */
  const shown = new WeakMap<Socket, Quotable>();
  const post = async <Q, A>(
    path: string,
    [asks, answers]: readonly [MessageCodec<Q>, MessageCodec<A>],
    message: (socket: Socket) => Q,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<A> => {
    const body = (socket: Socket): Uint8Array => asks.encode(message(socket));
    const call = { method: 'POST' as const, path, body, maxBytes: answers.maxBytes, timeoutMs };
    return decoded(answers, (await link.call(call, signal)).body);
  };
  return {
    prove: async (certificateRequest, signal) => {
      const codecs = [proveRequest, proveResponse] as const;
      const answer = await post(AGENT_PATHS.prove, codecs, () => ({ certificateRequest }), PROVE_MS, signal);
      return present(answer.evidence);
    },
    certify: async (certificateRequest, signal) => {
      const codecs = [certifyRequest, certifyResponse] as const;
      const answer = await post(
        AGENT_PATHS.certify,
        codecs,
        () => ({ certificateRequest }),
        CERTIFY_MS,
        signal,
      );
      return answer.certificateChain;
    },
    quote: async (nonce, credential, signal) => {
      let used: Socket | undefined;
      const message = (socket: Socket) => {
        const known = shown.get(socket) === credential;
        used = socket;
        shown.set(socket, credential);
        return known
          ? { nonce, certificateChain: [], certificateRequest: new Uint8Array(0) }
          : { nonce, certificateChain: [...credential.chain], certificateRequest: credential.request };
      };
      try {
        const codecs = [quoteRequest, quoteResponse] as const;
        return present((await post(AGENT_PATHS.quote, codecs, message, QUOTE_MS, signal)).evidence);
      } catch (error) {
        if (used !== undefined) shown.delete(used);
        throw error;
      }
    },
    trust: async (version, signal) => {
      const path = `${AGENT_PATHS.trust}?version=${version}`;
      const call = {
        method: 'GET' as const,
        path,
        maxBytes: MAX_SIGNED_TRUST_DOCUMENT_BYTES,
        timeoutMs: TRUST_MS,
      };
      const { status, body } = await link.call(call, signal);
      if (status === 204) return undefined;
      const signed = decodeSignedTrustDocument(body);
      if (!signed.ok) throw answerError(signed.message);
      return signed.value;
    },
  };
}
