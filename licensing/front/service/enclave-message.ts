import {
  type Enclave,
  EnclaveState,
  type LaunchResponse,
} from '../../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { phaseOf } from '../../codes/phase-name.ts';
import type { EnclaveRecord, EnclaveState as RecordState } from '../../store/enclave-record.ts';

const STATES: Readonly<Record<RecordState, EnclaveState>> = {
  launching: EnclaveState.ENCLAVE_STATE_LAUNCHING,
  ready: EnclaveState.ENCLAVE_STATE_READY,
  stopping: EnclaveState.ENCLAVE_STATE_STOPPING,
  failing: EnclaveState.ENCLAVE_STATE_STOPPING,
  stopped: EnclaveState.ENCLAVE_STATE_STOPPED,
  failed: EnclaveState.ENCLAVE_STATE_FAILED,
};

export function enclaveMessage(record: EnclaveRecord): Enclave {
  return {
    id: record.id,
    profile: record.profile,
    namespace: record.namespace,
    state: STATES[record.state],
    phase: phaseOf(record.phase),
    reason: record.reason,
    endpoint: record.endpoint,
    serverName: record.serverName,
    createdAt: new Date(record.createdAt),
    ownerKeySha256: record.ownerKeySha256,
  };
}

export function progressMessage(enclave: string, phase: number, message: string, at: number): LaunchResponse {
  const value = { enclave, phase: phaseOf(phase), message: message.slice(0, 1000), at: new Date(at) };
  return { event: { $case: 'progress', value } };
}
