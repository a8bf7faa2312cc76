import type { Refusal } from '../../formats/bytes/result.ts';
import type { StatusName } from './status.ts';

/** A call that failed without a refusal of ours: the peer is away, the deadline passed, a defect. */
export class RpcError extends Error {
  override readonly name: string = 'RpcError';
  readonly status: StatusName;

  constructor(status: StatusName, message: string) {
    super(message);
    this.status = status;
  }
}

export interface FieldViolation {
  /** The field's path in the request, in snake_case. */
  readonly field: string;
  readonly description: string;
}

export interface RefusalDetails {
  /** `google.rpc.BadRequest`: which fields were wrong. */
  readonly fields?: readonly FieldViolation[];
  /** `google.rpc.RetryInfo`: trying again after this many milliseconds helps. */
  readonly retryAfterMs?: number;
  /** `google.rpc.ErrorInfo.metadata`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * A refusal as it travels over gRPC: thrown in a handler, and thrown again by the client's call with the same code, message and remedy
 * (`google.rpc.ErrorInfo` of our domain).
 */
export class RpcRefusal extends RpcError {
  override readonly name = 'RpcRefusal';
  readonly code: string;
  readonly remedy: string;
  readonly details: RefusalDetails;

  constructor(status: StatusName, refusal: Omit<Refusal, 'ok'>, details: RefusalDetails = {}) {
    super(status, refusal.message);
    this.code = refusal.code;
    this.remedy = refusal.remedy;
    this.details = details;
  }
}
