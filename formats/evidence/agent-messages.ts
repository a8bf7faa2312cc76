import {
  CertifyRequest,
  CertifyResponse,
  type MessageFns,
  ProveRequest,
  ProveResponse,
  QuoteRequest,
  QuoteResponse,
} from '../../proto/gen/enclave_licensing/agent/v1/agent.ts';
import { type Result, refuse, success } from '../bytes/result.ts';
import { BUNDLE_RULE, bundleProblem, MAX_BUNDLE_BYTES } from './bundle.ts';
import type { EvidenceCode } from './evidence-code.ts';
import { type MessageRule, wireProblem } from './strict-wire.ts';

/** Bytes to message and back, within the bound that agent.proto states. */
export interface MessageCodec<T> {
  readonly maxBytes: number;
  encode(message: T): Uint8Array;
  decode(bytes: Uint8Array): Result<T, EvidenceCode>;
}

const KIB = 1024;
const CHAIN = { kind: 'bytes', max: 8 * KIB, times: 4 } as const;
const REQUEST_WITH_EVIDENCE = { kind: 'bytes', max: 64 * KIB } as const;

function codec<T>(
  name: string,
  maxBytes: number,
  fields: MessageRule,
  message: Pick<MessageFns<T>, 'encode' | 'decode'>,
  problemOf: (value: T) => string | undefined,
): MessageCodec<T> {
  const remedy = 'sidecar and agent must be of one release';
  return {
    maxBytes,
    encode: (value) => message.encode(value).finish(),
    decode(bytes) {
      if (bytes.length > maxBytes)
        return refuse('evidence-too-large', `${name} of ${bytes.length} bytes`, remedy);
      const malformed = wireProblem(bytes, fields);
      if (malformed !== undefined) return refuse('evidence-malformed', `${name}: ${malformed}`, remedy);
      const value = message.decode(bytes);
      const problem = problemOf(value);
      return problem === undefined
        ? success(value)
        : refuse('evidence-out-of-bounds', `${name}: ${problem}`, remedy);
    },
  };
}

function evidenceProblem({ evidence }: ProveResponse | QuoteResponse): string | undefined {
  return evidence ? bundleProblem(evidence) : 'evidence is missing';
}

function certificateProblem(chain: readonly Uint8Array[]): string | undefined {
  return chain.every((der) => der.length > 0) ? undefined : 'an empty certificate';
}

export const proveRequest: MessageCodec<ProveRequest> = codec(
  'ProveRequest',
  8 * KIB,
  new Map([[1, { kind: 'bytes', max: 4 * KIB }]]),
  ProveRequest,
  ({ certificateRequest }) => (certificateRequest.length > 0 ? undefined : 'certificate_request is missing'),
);

export const proveResponse: MessageCodec<ProveResponse> = codec(
  'ProveResponse',
  48 * KIB,
  new Map([[1, { kind: 'message', max: 48 * KIB, fields: BUNDLE_RULE }]]),
  ProveResponse,
  evidenceProblem,
);

export const certifyRequest: MessageCodec<CertifyRequest> = codec(
  'CertifyRequest',
  72 * KIB,
  new Map([[1, REQUEST_WITH_EVIDENCE]]),
  CertifyRequest,
  ({ certificateRequest }) => (certificateRequest.length > 0 ? undefined : 'certificate_request is missing'),
);

export const certifyResponse: MessageCodec<CertifyResponse> = codec(
  'CertifyResponse',
  40 * KIB,
  new Map([[1, CHAIN]]),
  CertifyResponse,
  ({ certificateChain }) =>
    certificateChain.length > 0 ? certificateProblem(certificateChain) : 'certificate_chain is empty',
);

export const quoteRequest: MessageCodec<QuoteRequest> = codec(
  'QuoteRequest',
  96 * KIB,
  new Map([
    [1, { kind: 'bytes', max: 64 }],
    [2, CHAIN],
    [3, REQUEST_WITH_EVIDENCE],
  ]),
  QuoteRequest,
  ({ nonce, certificateChain, certificateRequest }) => {
    if (nonce.length > 0 && nonce.length < 16) return 'nonce: 16 to 64 bytes, or none';
    if (certificateChain.length > 0 !== certificateRequest.length > 0)
      return 'certificate and request go together';
    return certificateProblem(certificateChain);
  },
);

export const quoteResponse: MessageCodec<QuoteResponse> = codec(
  'QuoteResponse',
  256 * KIB,
  new Map([[1, { kind: 'message', max: MAX_BUNDLE_BYTES, fields: BUNDLE_RULE }]]),
  QuoteResponse,
  evidenceProblem,
);
