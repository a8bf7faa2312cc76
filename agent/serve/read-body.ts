import type { IncomingMessage } from 'node:http';
import type { MessageCodec } from '../../formats/evidence/agent-messages.ts';
import { MEDIA_TYPES } from '../../names/wire.ts';
import { type AgentResult, refuseCall } from '../code.ts';

/** Reads a message within its bound. Nothing is kept of a body that is too large. */
export async function readBody<T>(request: IncomingMessage, codec: MessageCodec<T>): Promise<AgentResult<T>> {
  if (request.headers['content-type'] !== MEDIA_TYPES.protobuf)
    return refuseCall(
      'request-media-type',
      `content-type is ${request.headers['content-type'] ?? 'absent'}`,
      `send ${MEDIA_TYPES.protobuf}`,
    );
  const { maxBytes } = codec;
  const tooLarge = () =>
    refuseCall(
      'request-too-large',
      `the body is over ${maxBytes} bytes`,
      'sidecar and agent must be of one release',
    );
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) return tooLarge();
    chunks.push(chunk);
  }
  const decoded = codec.decode(new Uint8Array(Buffer.concat(chunks)));
  return decoded.ok ? decoded : refuseCall('request-malformed', decoded.message, decoded.remedy);
}
