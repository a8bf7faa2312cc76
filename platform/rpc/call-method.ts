import { type Client, type ClientReadableStream, Metadata, type ServiceError } from '@grpc/grpc-js';
import { RpcError } from './rpc-error.ts';
import type { AnyMethod, CallOptions } from './service.ts';
import { statusToError } from './status-details.ts';
import { writeAll } from './write-all.ts';

type Serialize = (value: unknown) => Buffer;

/** The function that calls one method: a promise, or an async iterable for a stream of answers. */
export function callMethod(
  method: AnyMethod,
  client: () => Client,
  timeoutMs: number,
): (request: unknown, options?: CallOptions) => unknown {
  const serialize = method.requestSerialize as Serialize;
  const { path, requestStream, responseStream, responseDeserialize: deserialize } = method;
  return (request, options = {}) => {
    const settings = {
      ...(responseStream && options.timeoutMs === undefined
        ? {}
        : { deadline: Date.now() + (options.timeoutMs ?? timeoutMs) }),
    };
    const metadata = metadataOf(options);
    const isMoved = (error: unknown, used: Client): boolean =>
      !requestStream && used !== client() && isUnsent(error) && options.signal?.aborted !== true;
    if (responseStream) {
      const begin = (on: Client): ClientReadableStream<unknown> => {
        if (!requestStream)
          return on.makeServerStreamRequest(path, serialize, deserialize, request, metadata, settings);
        const call = on.makeBidiStreamRequest(path, serialize, deserialize, metadata, settings);
        send(call as unknown as Sink, request as AsyncIterable<unknown>, options);
        return call;
      };
      const used = client();
      return answers(begin(used), options.signal, (error) =>
        isMoved(error, used) ? begin(client()) : undefined,
      );
    }
    return new Promise((resolve, reject) => {
      const begin = (on: Client): void => {
        const done = (error: ServiceError | null, value?: unknown): void => {
          options.signal?.removeEventListener('abort', cancel);
          if (isMoved(error, on)) begin(client());
          else if (error) reject(options.signal?.aborted ? aborted() : statusToError(error));
          else resolve(value);
        };
        const call = requestStream
          ? on.makeClientStreamRequest(path, serialize, deserialize, metadata, settings, done)
          : on.makeUnaryRequest(path, serialize, deserialize, request, metadata, settings, done);
        const cancel = (): void => call.cancel();
        if (requestStream) send(call as unknown as Sink, request as AsyncIterable<unknown>, options);
        options.signal?.addEventListener('abort', cancel, { once: true });
        if (options.signal?.aborted) cancel();
      };
      begin(client());
    });
  };
}

/** Whether the call waited for a connection that was given up (RpcClientOptions.connectMs): the server has not heard of it. */
function isUnsent(error: unknown): boolean {
  return (
    error instanceof Error && 'details' in error && error.details === 'Channel closed before call started'
  );
}

type Sink = import('node:stream').Writable & { cancel(): void };

function send(sink: Sink, requests: AsyncIterable<unknown>, options: CallOptions): void {
  const over = new AbortController();
  sink.once('close', () => over.abort());
  sink.once('error', () => over.abort());
  const signal = options.signal ? AbortSignal.any([options.signal, over.signal]) : over.signal;
  writeAll(sink, requests, signal).then(
    () => sink.end(),
    () => sink.cancel(),
  );
}

/** The answers; leaving the loop early cancels the call. `again` makes one anew that was never sent, once. */
async function* answers(
  first: ClientReadableStream<unknown>,
  signal: AbortSignal | undefined,
  again: (error: unknown) => ClientReadableStream<unknown> | undefined,
): AsyncGenerator<unknown> {
  let call = first;
  const cancel = (): void => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  if (signal?.aborted) cancel();
  let ended = false;
  try {
    try {
      for await (const answer of call) yield answer;
    } catch (error) {
      const next = again(error);
      if (next === undefined) throw error;
      call = next;
      for await (const answer of call) yield answer;
    }
    ended = true;
  } catch (error) {
    ended = true;
    if (signal?.aborted) throw aborted();
    throw error instanceof Error && 'code' in error && 'details' in error
      ? statusToError(error as ServiceError)
      : error;
  } finally {
    signal?.removeEventListener('abort', cancel);
    if (!ended) call.cancel();
  }
}

function aborted(): Error {
  return Object.assign(new RpcError('CANCELLED', 'aborted'), { name: 'AbortError' });
}

function metadataOf(options: CallOptions): Metadata {
  const metadata = new Metadata();
  if (options.token !== undefined) metadata.set('authorization', `Bearer ${options.token}`);
  if (options.requestId !== undefined) metadata.set('x-request-id', options.requestId);
  return metadata;
}
