import {
  ACTIVATE_CREDENTIAL,
  CLOCK_SET,
  CREATE_PRIMARY,
  EVICT_CONTROL,
  FLUSH_CONTEXT,
  GET_CAPABILITY,
  NV_READ,
  NV_READ_PUBLIC,
  PCR_READ,
  POLICY_SECRET,
  QUOTE,
  READ_CLOCK,
  READ_PUBLIC,
  START_AUTH_SESSION,
  STARTUP,
} from '../../formats/tpm/commands.ts';
import { AK_HANDLE, AK_SUCCESSOR_HANDLE } from '../../tpm/attestation-key.ts';

const NEEDED: ReadonlySet<number> = new Set(
  [
    ...[STARTUP, GET_CAPABILITY, READ_CLOCK, CLOCK_SET, PCR_READ, NV_READ_PUBLIC, NV_READ, READ_PUBLIC],
    ...[CREATE_PRIMARY, FLUSH_CONTEXT],
    ...[START_AUTH_SESSION, POLICY_SECRET, ACTIVATE_CREDENTIAL, QUOTE],
  ].map(({ code }) => code),
);

/** Where TPM2_EvictControl has the object (TPM 2.0 Part 3, 28.5); the persistent handle is its only parameter, and so its last four bytes. */
const EVICTED_AT = 14;
const AGENTS_OWN: ReadonlySet<number> = new Set([AK_HANDLE, AK_SUCCESSOR_HANDLE]);
/** Type of a transient object's handle (Part 2, 7.2). */
const TRANSIENT = 0x80;

/**
 * Whether a whole command is one that an agent sends. What clears the TPM, takes its hierarchies over, writes its NV memory, extends PCRs or evicts the
 * keys of others would outlast the agent, and the node's other users have it as well. (After a power loss the agent sets the clock ahead:
 * tpm/clock.ts. A clock set far ahead stays so until the TPM is cleared: time that nobody of ours compares with a calendar.)
 */
export function isPassedOn(command: Buffer): boolean {
  const code = command.readUInt32BE(6);
  return code === EVICT_CONTROL.code ? isOwnEviction(command) : NEEDED.has(code);
}

function isOwnEviction(command: Buffer): boolean {
  if (command.length < EVICTED_AT + 8) return false;
  const object = command.readUInt32BE(EVICTED_AT);
  const persistent = command.readUInt32BE(command.length - 4);
  return AGENTS_OWN.has(persistent) && (object === persistent || object >>> 24 === TRANSIENT);
}
