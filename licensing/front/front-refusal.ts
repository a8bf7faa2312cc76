import { type FieldViolation, type RefusalDetails, RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import type { StatusName } from '../../platform/rpc/status.ts';

/** Why front refuses a call by itself; why a launch comes to nothing is a LaunchCode. */
export type FrontCode =
  | 'invalid-argument'
  | 'unauthenticated'
  | 'wrong-credentials'
  | 'user-exists'
  | 'unknown-user'
  | 'user-revoked'
  | 'overloaded'
  | 'rate-limited'
  | 'no-seat'
  | 'launch-id-reused'
  | 'enclave-unknown'
  | 'enclave-not-ready'
  | 'grant-refused'
  | 'trust-document-missing'
  | 'trust-document-stale'
  | 'token-key-unpublished'
  | 'launcher-away'
  | 'store-away'
  | 'stopping';

const STATUSES: Readonly<Record<FrontCode, StatusName>> = {
  'invalid-argument': 'INVALID_ARGUMENT',
  unauthenticated: 'UNAUTHENTICATED',
  'wrong-credentials': 'UNAUTHENTICATED',
  'user-exists': 'ALREADY_EXISTS',
  // The token is good and its user is gone.
  'unknown-user': 'UNAUTHENTICATED',
  'user-revoked': 'PERMISSION_DENIED',
  overloaded: 'RESOURCE_EXHAUSTED',
  'rate-limited': 'RESOURCE_EXHAUSTED',
  'no-seat': 'RESOURCE_EXHAUSTED',
  'launch-id-reused': 'ALREADY_EXISTS',
  'enclave-unknown': 'NOT_FOUND',
  'enclave-not-ready': 'FAILED_PRECONDITION',
  'grant-refused': 'PERMISSION_DENIED',
  'trust-document-missing': 'UNAVAILABLE',
  'trust-document-stale': 'UNAVAILABLE',
  'token-key-unpublished': 'UNAVAILABLE',
  'launcher-away': 'UNAVAILABLE',
  'store-away': 'UNAVAILABLE',
  stopping: 'UNAVAILABLE',
};

export interface FrontRefusal {
  readonly code: FrontCode;
  readonly message: string;
  readonly remedy: string;
}

export function frontRefusal(refusal: FrontRefusal, details: RefusalDetails = {}): RpcRefusal {
  return new RpcRefusal(STATUSES[refusal.code], refusal, details);
}

/** INVALID_ARGUMENT with `google.rpc.BadRequest`. */
export function invalidFields(fields: readonly FieldViolation[]): RpcRefusal {
  const message = fields.map(({ field, description }) => `${field} ${description}`).join('; ');
  return frontRefusal(
    { code: 'invalid-argument', message, remedy: 'mend the request; docs name each field’s form' },
    { fields },
  );
}
