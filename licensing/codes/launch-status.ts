import { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import type { StatusName } from '../../platform/rpc/status.ts';
import { LAUNCH_REMEDIES, type LaunchCode } from './launch-code.ts';

const STATUSES: Readonly<Partial<Record<LaunchCode, StatusName>>> = {
  'profile-unknown': 'NOT_FOUND',
  'pod-gone': 'NOT_FOUND',
  'user-certificate-denied': 'PERMISSION_DENIED',
  'revocation-refused': 'PERMISSION_DENIED',
  'evidence-unavailable': 'UNAVAILABLE',
  'launch-timeout': 'DEADLINE_EXCEEDED',
  'launch-unattended': 'DEADLINE_EXCEEDED',
  'launch-stopped': 'ABORTED',
};

/** A launch's failure as it travels: NOT_FOUND, PERMISSION_DENIED, UNAVAILABLE, DEADLINE_EXCEEDED, ABORTED, else FAILED_PRECONDITION. */
export function launchRefusal(code: LaunchCode, message: string): RpcRefusal {
  return new RpcRefusal(STATUSES[code] ?? 'FAILED_PRECONDITION', {
    code,
    message: message.slice(0, 1000),
    remedy: LAUNCH_REMEDIES[code],
  });
}
