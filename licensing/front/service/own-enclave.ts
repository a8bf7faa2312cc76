import type { EnclaveRecord } from '../../store/enclave-record.ts';
import { frontRefusal } from '../front-refusal.ts';
import type { FrontWorld } from '../front-world.ts';

/** One answer for an enclave that does not exist and one that is somebody else's. */
export function unknownEnclave(id: string): Error {
  return frontRefusal({
    code: 'enclave-unknown',
    message: `you have no enclave "${id}"`,
    remedy: 'list your enclaves',
  });
}

/** @throws RpcRefusal NOT_FOUND */
export async function ownEnclave({ store }: FrontWorld, user: string, id: string): Promise<EnclaveRecord> {
  const record = await store.findEnclave(id);
  if (record === undefined || record.user !== user) throw unknownEnclave(id);
  return record;
}

/** @throws RpcRefusal FAILED_PRECONDITION */
export function mustBeReady(record: EnclaveRecord): void {
  if (record.state !== 'ready')
    throw frontRefusal({
      code: 'enclave-not-ready',
      message: `enclave ${record.id} is ${record.state}${record.reason === '' ? '' : `: ${record.reason}`}`,
      remedy: record.state === 'launching' ? 'wait until it is ready' : 'launch another',
    });
}
