import { concat } from '../bytes/bytes.ts';
import { Reader } from '../bytes/reader.ts';
import { type Result, refuse, success } from '../bytes/result.ts';
import { Writer } from '../bytes/writer.ts';
import type { Command, RequestOf, ResponseOf } from './command.ts';
import { decodeFields, type TpmFormatCode } from './decode.ts';
import { encode, encodeFields } from './encode.ts';
import { RH } from './handles.ts';
import { AUTH_COMMAND } from './structures.ts';
import type { ValueOf } from './wire.ts';

/** TPM_ST_NO_SESSIONS and TPM_ST_SESSIONS (part 2, 6.9). */
const NO_SESSIONS = 0x8001;
const SESSIONS = 0x8002;
const HEADER = 10;
/** No response of a command that this project sends is longer; real TPMs answer with at most 4,096 bytes. */
export const MAX_RESPONSE = 4096;

/** TPMS_AUTH_COMMAND (part 2, 10.13.2). */
export type Authorization = ValueOf<typeof AUTH_COMMAND>;

const NO_ATTRIBUTES = {
  continueSession: false,
  auditExclusive: false,
  auditReset: false,
  decrypt: false,
  encrypt: false,
  audit: false,
} as const;

/** The empty password: what a key without authorization value and an unowned hierarchy ask for. */
export const EMPTY_PASSWORD: Authorization = {
  sessionHandle: RH.password,
  nonce: new Uint8Array(0),
  attributes: NO_ATTRIBUTES,
  hmac: new Uint8Array(0),
};

/** A policy session without a session key and without an authorization value to prove: no HMAC. Ends with the command. */
export function policyAuthorization(sessionHandle: number): Authorization {
  return { ...EMPTY_PASSWORD, sessionHandle };
}

/**
 * The bytes of a command (part 1, 18.2): header, handles, authorizations, parameters.
 * @param authorizations one for each handle that needs one; the empty password where none is given
 */
export function encodeCommand<C extends Command>(
  command: C,
  request: RequestOf<C>,
  authorizations: readonly Authorization[] = [],
): Uint8Array {
  const values: Readonly<Record<string, unknown>> = request;
  const handles = new Writer();
  for (const name of command.handles) handles.u32(Number(values[name]));
  const sessions = Array.from({ length: command.authorized }, (_, i) =>
    encode(AUTH_COMMAND, authorizations[i] ?? EMPTY_PASSWORD),
  );
  const area = concat(...sessions);
  const body = concat(
    handles.finish(),
    command.authorized > 0 ? new Writer().sized32(area).finish() : area,
    encodeFields(command.parameters, values),
  );
  return new Writer()
    .u16(command.authorized > 0 ? SESSIONS : NO_SESSIONS)
    .u32(HEADER + body.length)
    .u32(command.code)
    .bytes(body)
    .finish();
}

/** A response as the TPM meant it: its value, or a response code other than TPM_RC_SUCCESS. */
export type Response<C> =
  | { readonly responseCode: 0; readonly value: ResponseOf<C> }
  | { readonly responseCode: number; readonly value?: never };

/** Reads a response (part 1, 18.3). Refuses one that is not exactly what the command's table says. */
export function decodeResponse<C extends Command>(
  command: C,
  bytes: Uint8Array,
): Result<Response<C>, TpmFormatCode> {
  const no = (code: TpmFormatCode, what: string) =>
    refuse(code, `response to ${command.name}: ${what}`, 'check the TPM: it does not answer as TPM 2.0 says');
  const reader = new Reader(bytes);
  const tag = reader.u16();
  const size = reader.u32();
  const responseCode = reader.u32();
  if (tag === undefined || size === undefined || responseCode === undefined)
    return no('tpm-truncated', 'shorter than its header');
  if (size !== bytes.length)
    return no('tpm-bad-value', `${bytes.length} bytes where the header says ${size}`);
  // An error is its header alone; TPM_RC_BAD_TAG comes with the tag of TPM 1.2.
  if (responseCode !== 0)
    return reader.done ? success({ responseCode }) : no('tpm-left-over', 'an error is followed by more');
  if (tag !== (command.authorized > 0 ? SESSIONS : NO_SESSIONS)) return no('tpm-bad-value', `tag ${tag}`);
  const value: Record<string, unknown> = {};
  for (const name of command.responseHandles) {
    const handle = reader.u32();
    if (handle === undefined) return no('tpm-truncated', `no ${name}`);
    value[name] = handle;
  }
  // After the parameters come the authorizations of the response. Neither a password nor a policy session
  // without key proves anything there, so they are not read.
  const parameters = command.authorized > 0 ? reader.sized32(MAX_RESPONSE) : reader.take(reader.remaining);
  if (parameters === undefined) return no('tpm-truncated', 'parameters are cut off');
  const decoded = decodeFields(command.response, parameters);
  if (!decoded.ok) return no(decoded.code, decoded.message);
  return success({ responseCode: 0, value: { ...value, ...decoded.value } as ResponseOf<C> });
}
