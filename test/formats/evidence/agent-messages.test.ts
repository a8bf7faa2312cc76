import { describe, expect, test } from 'vitest';
import { concat } from '../../../formats/bytes/bytes.ts';
import {
  certifyRequest,
  certifyResponse,
  type MessageCodec,
  proveRequest,
  proveResponse,
  quoteRequest,
  quoteResponse,
} from '../../../formats/evidence/agent-messages.ts';
import { fixture, requestFixture } from '../../support/evidence.ts';

const request = new Uint8Array(300).fill(1);
const none = new Uint8Array(0);

function thereAndBack<T>(codec: MessageCodec<T>, message: T): void {
  const bytes = codec.encode(message);
  expect(codec.decode(bytes)).toEqual({ ok: true, value: message });
  expect(codec.decode(concat(bytes, Uint8Array.of(0x7a, 0))).ok).toBe(false);
  expect(codec.decode(new Uint8Array(codec.maxBytes + 1))).toMatchObject({ code: 'evidence-too-large' });
}

describe('messages between sidecar and agent', () => {
  test('go there and back, and refuse what is unknown or too large', () => {
    thereAndBack(proveRequest, { certificateRequest: request });
    thereAndBack(proveResponse, { evidence: requestFixture().bundle });
    thereAndBack(certifyRequest, { certificateRequest: request });
    thereAndBack(certifyResponse, { certificateChain: [request] });
    thereAndBack(quoteRequest, {
      nonce: new Uint8Array(32),
      certificateChain: [request],
      certificateRequest: request,
    });
    thereAndBack(quoteRequest, { nonce: none, certificateChain: [], certificateRequest: none });
    thereAndBack(quoteResponse, { evidence: fixture().bundle });
  });

  test('refuse what is missing', () => {
    expect(proveRequest.decode(none).ok).toBe(false);
    expect(proveResponse.decode(none).ok).toBe(false);
    expect(certifyResponse.decode(none).ok).toBe(false);
    const lonely = { nonce: none, certificateChain: [request], certificateRequest: none };
    expect(quoteRequest.decode(quoteRequest.encode(lonely)).ok).toBe(false);
    const guessable = { nonce: new Uint8Array(15), certificateChain: [], certificateRequest: none };
    expect(quoteRequest.decode(quoteRequest.encode(guessable)).ok).toBe(false);
  });
});
