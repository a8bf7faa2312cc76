import type { Refusal } from '../formats/bytes/result.ts';
import { RpcRefusal } from '../platform/rpc/rpc-error.ts';
import type { StatusName } from '../platform/rpc/status.ts';
import type { CertsCode } from './code.ts';

const STATUS: Partial<Record<CertsCode, StatusName>> = {
  'token-refused': 'UNAUTHENTICATED',
  'caller-unknown': 'UNAUTHENTICATED',
  'caller-role': 'PERMISSION_DENIED',
  'revocation-foreign': 'NOT_FOUND',
  'revocations-full': 'RESOURCE_EXHAUSTED',
  'revocation-invalid': 'INVALID_ARGUMENT',
  'token-keys-invalid': 'INVALID_ARGUMENT',
  'enrolment-sequence': 'INVALID_ARGUMENT',
  'enrolment-busy': 'RESOURCE_EXHAUSTED',
  'ek-malformed': 'INVALID_ARGUMENT',
  'ak-malformed': 'INVALID_ARGUMENT',
};

/** A refusal as a gRPC status; what the table does not list is a condition of the caller's that it must change first. */
export function refuseCall(refusal: Refusal<CertsCode>): RpcRefusal {
  return new RpcRefusal(STATUS[refusal.code] ?? 'FAILED_PRECONDITION', refusal);
}
