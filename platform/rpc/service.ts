import type { RpcCall } from './rpc-call.ts';

/** A service as ts-proto generates it: `LicensingServiceService`. */
export type Service = Readonly<Record<string, AnyMethod>>;

export interface AnyMethod {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (value: never) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => unknown;
  readonly responseSerialize: (value: never) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => unknown;
}

export type RequestOf<M extends AnyMethod> = ReturnType<M['requestDeserialize']>;
export type ResponseOf<M extends AnyMethod> = ReturnType<M['responseDeserialize']>;

/** What a service's methods are implemented with: promises for answers, async iterables for streams. */
export type Handlers<S extends Service> = {
  readonly [K in keyof S]: (
    request: S[K]['requestStream'] extends true ? AsyncIterable<RequestOf<S[K]>> : RequestOf<S[K]>,
    call: RpcCall,
  ) => S[K]['responseStream'] extends true ? AsyncIterable<ResponseOf<S[K]>> : Promise<ResponseOf<S[K]>>;
};

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds until the call gives up; absent: the client's default, which streams do not have. */
  readonly timeoutMs?: number;
  /** Sent as `authorization: Bearer`. */
  readonly token?: string;
  /** Joins this call to the one it was made for: sent as `x-request-id`. */
  readonly requestId?: string;
}

/** What a service's methods are called with. Failures are RpcRefusal or RpcError. */
export type RpcMethods<S extends Service> = {
  readonly [K in keyof S]: (
    request: S[K]['requestStream'] extends true ? AsyncIterable<RequestOf<S[K]>> : RequestOf<S[K]>,
    options?: CallOptions,
  ) => S[K]['responseStream'] extends true ? AsyncIterable<ResponseOf<S[K]>> : Promise<ResponseOf<S[K]>>;
};
