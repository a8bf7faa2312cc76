import type { IncomingMessage } from 'node:http';
import { parse as parseYaml } from 'yaml';
import { ApiError, badRequest } from './api-error.ts';
import { fromProtobuf, PROTOBUF } from './schema/protobuf.ts';

/** etcd's request limit, doubled: what kube-apiserver takes. */
const MOST_BYTES = 3 * 1024 * 1024;

/** A request's body by its media type: JSON, or YAML or protobuf where it says so. `undefined` when empty. */
export async function readBody(request: IncomingMessage, mediaType: string): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > MOST_BYTES)
      throw new ApiError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${MOST_BYTES}`);
    chunks.push(chunk as Buffer);
  }
  if (length === 0) return undefined;
  const bytes = Buffer.concat(chunks);
  const body = bytes.toString('utf8');
  try {
    if (mediaType === PROTOBUF) return fromProtobuf(bytes);
    return mediaType.endsWith('yaml') ? parseYaml(body) : JSON.parse(body);
  } catch (error) {
    throw badRequest(
      `the object provided is unrecognized (must be of type ${mediaType}): ${error instanceof Error ? error.message : 'unreadable'}`,
    );
  }
}
