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

const NEEDED: ReadonlySet<number> = new Set(
  [
    ...[STARTUP, GET_CAPABILITY, READ_CLOCK, CLOCK_SET, PCR_READ, NV_READ_PUBLIC, NV_READ, READ_PUBLIC],
    ...[CREATE_PRIMARY, EVICT_CONTROL, FLUSH_CONTEXT],
    ...[START_AUTH_SESSION, POLICY_SECRET, ACTIVATE_CREDENTIAL, QUOTE],
  ].map(({ code }) => code),
);

/**
 * Whether a command (its code, TPM 2.0 Part 2, 6.5.2) is one that an agent sends. What clears the TPM, takes its hierarchies over, writes its NV memory or
 * extends PCRs would outlast the agent, and the node's other users have it as well. (After a power loss the agent sets the clock ahead: tpm/clock.ts.)
 */
export function isPassedOn(code: number): boolean {
  return NEEDED.has(code);
}
