import { randomUUID } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import type {
  Metadata,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
  UntypedHandleCall,
} from '@grpc/grpc-js';
import type { Logger } from '../log/logger.ts';
import type { Histogram } from '../metrics/metrics.ts';
import type { RpcCall } from './rpc-call.ts';
import { RpcRefusal } from './rpc-error.ts';
import type { AnyMethod } from './service.ts';
import { errorToStatus } from './status-details.ts';
import { writeAll } from './write-all.ts';

export interface HandlingContext {
  readonly log: Logger;
  readonly seconds: Histogram;
  /** Aborts when the server closes. */
  readonly ended: AbortSignal;
}

const STOPPING = {
  code: 'server-stopping',
  message: 'the server is being restarted',
  remedy: 'try again',
};

type Handler = (request: unknown, call: RpcCall) => unknown;
type AnyCall =
  | ServerUnaryCall<unknown, unknown>
  | ServerReadableStream<unknown, unknown>
  | ServerWritableStream<unknown, unknown>
  | ServerDuplexStream<unknown, unknown>;

/**
 * A grpc-js handler around ours. Whatever ours throws, at once or later, becomes a status: refusals with their details, anything else INTERNAL with the request id
 * and no more, the cause in our log.
 */
export function handleCall(method: AnyMethod, handler: Handler, context: HandlingContext): UntypedHandleCall {
  const run = async (
    call: AnyCall,
    answer: (result: unknown, rpc: RpcCall) => Promise<void>,
  ): Promise<void> => {
    const started = performance.now();
    const { rpc, dispose } = describeCall(call, method, context);
    let status = 'OK';
    try {
      // Inside the try: a handler that throws before its first await is caught as well.
      const request: unknown = method.requestStream ? call : 'request' in call ? call.request : undefined;
      await answer(handler(request, rpc), rpc);
    } catch (error) {
      const failure = errorToStatus(error, rpc.requestId, rpc.signal.aborted);
      status = failure.name;
      if (failure.unexpected) rpc.log.error({ error }, 'call failed');
      else rpc.log.info({ status, code: failure.code }, 'call refused');
      fail(call, failure.error);
    } finally {
      dispose();
      context.seconds.observe((performance.now() - started) / 1000, { method: method.path, status });
    }
  };
  if (method.responseStream)
    return (call: ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>) =>
      void run(call, async (result, rpc) => {
        const complete = await writeAll(call, result as AsyncIterable<unknown>, rpc.signal);
        // A stream that we cut short must not look like one that came to its end.
        if (!complete && context.ended.aborted) throw new RpcRefusal('UNAVAILABLE', STOPPING);
        call.end();
      });
  return (
    call: ServerUnaryCall<unknown, unknown> | ServerReadableStream<unknown, unknown>,
    callback: sendUnaryData<unknown>,
  ) => {
    unaryCallbacks.set(call, callback);
    void run(call, async (result) => {
      const value = await result;
      unaryCallbacks.delete(call);
      callback(null, value);
    });
  };
}

const unaryCallbacks = new WeakMap<AnyCall, sendUnaryData<unknown>>();

function fail(call: AnyCall, error: { code: number; details: string; metadata: Metadata }): void {
  const callback = unaryCallbacks.get(call);
  try {
    if (callback !== undefined) callback(error);
    else call.emit('error', error);
  } catch {
    // The call is over already.
  }
}

const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/;

function describeCall(
  call: AnyCall,
  method: AnyMethod,
  context: HandlingContext,
): { rpc: RpcCall; dispose: () => void } {
  const [header] = call.metadata.get('x-request-id');
  const requestId = typeof header === 'string' && REQUEST_ID.test(header) ? header : randomUUID();
  const [authorization] = call.metadata.get('authorization');
  const bearerToken =
    typeof authorization === 'string' ? /^Bearer (\S{1,8192})$/i.exec(authorization)?.[1] : undefined;
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  (call as EventEmitter).on('cancelled', stop);
  context.ended.addEventListener('abort', stop, { once: true });
  if (context.ended.aborted) stop();
  const certificate = call.getAuthContext().sslPeerCertificate?.raw;
  const rpc: RpcCall = {
    peer: {
      address: hostOf(call.getPeer()),
      ...(certificate && { certificate: new Uint8Array(certificate) }),
    },
    ...(bearerToken !== undefined && { bearerToken }),
    requestId,
    signal: abort.signal,
    log: context.log.child({ requestId, method: method.path.slice(1) }),
  };
  return { rpc, dispose: () => context.ended.removeEventListener('abort', stop) };
}

function hostOf(peer: string): string {
  return (
    /^(?:\[(.*)\]|(.*)):\d+$/
      .exec(peer)
      ?.slice(1)
      .find((part) => part !== undefined) ?? peer
  );
}
