import { type Result, refuse, success } from '../../formats/bytes/result.ts';
import type { EnclaveRecord, NewEnclave } from './enclave-record.ts';
import type { StoreCode } from './store.ts';

/** The launch that is there under the wish's id, when it is the same launch. */
export function joinedLaunch(
  there: EnclaveRecord,
  wish: NewEnclave,
): Result<{ readonly record: EnclaveRecord; readonly created: boolean }, StoreCode> {
  if (there.profile === wish.profile && there.ownerKeySha256 === wish.ownerKeySha256)
    return success({ record: there, created: false });
  return refuse(
    'launch-id-reused',
    `this launch id belongs to enclave ${there.id} of profile "${there.profile}" and another key or profile was given`,
    'use a new launch id for a new launch',
  );
}
