import { Metadata, type ServiceError } from '@grpc/grpc-js';
import { ERROR_DOMAIN } from '../../names/wire.ts';
import type { Any } from '../../proto/gen/google/protobuf/any.ts';
import { BadRequest, ErrorInfo, RetryInfo } from '../../proto/gen/google/rpc/error_details.ts';
import { Status } from '../../proto/gen/google/rpc/status.ts';
import { RpcError, RpcRefusal } from './rpc-error.ts';
import { STATUS_CODES, type StatusName, statusName } from './status.ts';

/** The trailer that holds a google.rpc.Status. */
const DETAILS_KEY = 'grpc-status-details-bin';
const TYPE = 'type.googleapis.com/google.rpc.';
const MAX_DETAILS = 16 * 1024;

export interface Failure {
  readonly name: StatusName;
  readonly code?: string;
  /** A defect or trouble of ours, not an answer. */
  readonly unexpected: boolean;
  readonly error: { readonly code: number; readonly details: string; readonly metadata: Metadata };
}

/** What a handler threw, as a status. Nothing of an unexpected error's text leaves the process. */
export function errorToStatus(error: unknown, requestId: string, aborted: boolean): Failure {
  if (error instanceof RpcRefusal) return refusalToStatus(error);
  if (aborted && error instanceof Error && error.name === 'AbortError')
    return plain('CANCELLED', 'cancelled', false);
  if (error instanceof RpcError && error.status === 'UNAVAILABLE')
    return plain('UNAVAILABLE', `a part of the service is away, try again (request ${requestId})`, true);
  return plain('INTERNAL', `internal error (request ${requestId})`, true);
}

function plain(name: StatusName, details: string, unexpected: boolean): Failure {
  return { name, unexpected, error: { code: STATUS_CODES[name], details, metadata: new Metadata() } };
}

function refusalToStatus(refusal: RpcRefusal): Failure {
  const { fields = [], retryAfterMs, metadata = {} } = refusal.details;
  const details: Any[] = [
    pack(
      'ErrorInfo',
      ErrorInfo.encode({
        reason: refusal.code,
        domain: ERROR_DOMAIN,
        metadata: { ...metadata, remedy: refusal.remedy },
      }).finish(),
    ),
  ];
  if (fields.length > 0)
    details.push(
      pack(
        'BadRequest',
        BadRequest.encode(
          BadRequest.fromPartial({
            fieldViolations: fields.map(({ field, description }) => ({ field, description })),
          }),
        ).finish(),
      ),
    );
  if (retryAfterMs !== undefined)
    details.push(
      pack(
        'RetryInfo',
        RetryInfo.encode({
          retryDelay: {
            seconds: BigInt(Math.floor(retryAfterMs / 1000)),
            nanos: Math.round((retryAfterMs % 1000) * 1e6),
          },
        }).finish(),
      ),
    );
  const code = STATUS_CODES[refusal.status];
  const trailers = new Metadata();
  trailers.set(DETAILS_KEY, Buffer.from(Status.encode({ code, message: refusal.message, details }).finish()));
  return {
    name: refusal.status,
    code: refusal.code,
    unexpected: false,
    error: { code, details: refusal.message, metadata: trailers },
  };
}

function pack(type: string, value: Uint8Array): Any {
  return { typeUrl: TYPE + type, value: Buffer.from(value) };
}

/** A failed call as the caller sees it: RpcRefusal when the peer sent our ErrorInfo, else RpcError. */
export function statusToError(error: ServiceError): RpcError {
  const status = statusName(error.code);
  const message = plainMessage(error.details);
  const [raw] = error.metadata?.get(DETAILS_KEY) ?? [];
  if (!(raw instanceof Uint8Array) || raw.length > MAX_DETAILS) return new RpcError(status, message);
  try {
    return fromDetails(status, message, Status.decode(raw).details);
  } catch {
    return new RpcError(status, message);
  }
}

/** grpc-js wraps why a connection failed into sentences about itself. */
function plainMessage(details: string): string {
  const why = /Last error: (?:Error: )?(.+?)\.? ?Resolution note:/.exec(details)?.[1];
  return why === undefined ? details : `no connection: ${why}`;
}

function fromDetails(status: StatusName, message: string, details: readonly Any[]): RpcError {
  const find = (type: string): Uint8Array | undefined =>
    details.find((each) => each.typeUrl === TYPE + type)?.value;
  const infoBytes = find('ErrorInfo');
  const info = infoBytes && ErrorInfo.decode(infoBytes);
  if (info?.domain !== ERROR_DOMAIN) return new RpcError(status, message);
  const badRequest = find('BadRequest');
  const retry = find('RetryInfo');
  const delay = retry && RetryInfo.decode(retry).retryDelay;
  const { remedy = '', ...metadata } = info.metadata;
  return new RpcRefusal(
    status,
    { code: info.reason, message, remedy },
    {
      metadata,
      ...(badRequest && {
        fields: BadRequest.decode(badRequest).fieldViolations.map(({ field, description }) => ({
          field,
          description,
        })),
      }),
      ...(delay && { retryAfterMs: Number(delay.seconds) * 1000 + delay.nanos / 1e6 }),
    },
  );
}
