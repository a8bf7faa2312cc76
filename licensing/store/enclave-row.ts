import type { EnclaveProgress, EnclaveRecord, EnclaveState } from './enclave-record.ts';

/** A row of the table `enclaves`, as every database driver gives it. */
export interface EnclaveRow {
  id: string;
  user: string;
  launch_id: Uint8Array;
  profile: string;
  owner_key_sha256: string;
  nonce: Uint8Array;
  certificate_request: Uint8Array;
  state: string;
  phase: number;
  message: string;
  reason: string;
  reason_code: string;
  namespace: string;
  endpoint: string;
  server_name: string;
  profile_spec: string;
  attended_at: number;
  delivered: number | boolean;
  driver: string;
  created_at: number;
  updated_at: number;
}

const STATES: readonly string[] = ['launching', 'ready', 'stopping', 'failing', 'stopped', 'failed'];

function isState(text: string): text is EnclaveState {
  return STATES.includes(text);
}

/** Throws on a state that this version does not know: such a record must not be acted on. */
export function recordOfRow(row: EnclaveRow): EnclaveRecord {
  if (!isState(row.state)) throw new Error(`enclave ${row.id} is in the unknown state "${row.state}"`);
  return {
    id: row.id,
    user: row.user,
    launchId: new Uint8Array(row.launch_id),
    profile: row.profile,
    ownerKeySha256: row.owner_key_sha256,
    nonce: new Uint8Array(row.nonce),
    certificateRequest: new Uint8Array(row.certificate_request),
    state: row.state,
    phase: row.phase,
    message: row.message,
    reason: row.reason,
    reasonCode: row.reason_code,
    namespace: row.namespace,
    endpoint: row.endpoint,
    serverName: row.server_name,
    profileSpec: row.profile_spec,
    attendedAt: row.attended_at,
    delivered: Boolean(row.delivered),
    driver: row.driver,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** Column of each field that changes on the way. */
export const PROGRESS_COLUMNS: Readonly<Record<keyof EnclaveProgress, keyof EnclaveRow>> = {
  state: 'state',
  phase: 'phase',
  message: 'message',
  reason: 'reason',
  reasonCode: 'reason_code',
  namespace: 'namespace',
  endpoint: 'endpoint',
  serverName: 'server_name',
  profileSpec: 'profile_spec',
  attendedAt: 'attended_at',
  delivered: 'delivered',
};
