import { concat, fromHex, toHex, toUtf8 } from '../../formats/bytes/bytes.ts';
import type { Statement } from '../../formats/evidence/statement.ts';
import type { Attest } from '../../formats/tpm/attest.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import type { CheckName } from '../../verify/check-names.ts';
import type { VerifyContext } from '../../verify/context.ts';
import type { Policy } from '../../verify/policy/policy.ts';
import type { VerifyCode } from '../../verify/verify-code.ts';
import type { Changes } from './evidence.ts';
import type { LeafFields } from './fixture-certificates.ts';

/** An input whose only failed check is this one, or (without code) one that must still pass. */
export interface Forgery {
  readonly check?: CheckName;
  readonly code?: VerifyCode;
  readonly changes: Changes;
}
export type Forgeries = Readonly<Record<string, Forgery>>;

export const good = (changes: Changes = {}): Forgery => ({ changes });
export const bad = (check: CheckName, code: VerifyCode, changes: Changes): Forgery => ({
  check,
  code,
  changes,
});

export const sha256 = (bytes: Uint8Array): Uint8Array => nodeCrypto.hash('sha256', bytes);
export const sha256Hex = (text: string): string => toHex(sha256(toUtf8(text)));

export const statement = (change: (s: Statement) => object): Changes => ({
  statement: (s) => ({ ...s, ...change(s) }) as Statement,
});
export const pod = (part: Partial<Statement['pod']>): Changes =>
  statement((s) => ({ pod: { ...s.pod, ...part } }));
export const access = (part: Partial<Statement['access']>): Changes =>
  statement((s) => ({ access: { ...s.access, ...part } }));
export const attest = (part: Partial<Attest>): Changes => ({ attest: (a) => ({ ...a, ...part }) });
export const clock = (part: Partial<Attest['clockInfo']>): Changes => ({
  attest: (a) => ({ ...a, clockInfo: { ...a.clockInfo, ...part } }),
});
export const certificate = (part: (f: LeafFields) => Partial<LeafFields>): Changes => ({
  certificate: (f) => ({ ...f, ...part(f) }),
});
export const context = (part: Partial<VerifyContext>): Changes => ({ context: (c) => ({ ...c, ...part }) });
/** A context that does not have this member. */
export const without = (member: 'liveCertificate' | 'ownerKeySha256'): Changes => ({
  context: ({ [member]: _, ...rest }) => rest,
});
export const policy = (part: Partial<Policy>): Changes => ({ policy: (p) => ({ ...p, ...part }) });

/** Every occurrence of some bytes by others. */
export function replaceBytes(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const [find, put] = [fromHex(from), fromHex(to)];
  if (!find || !put) throw new TypeError('not hexadecimal');
  const at = Buffer.from(bytes).indexOf(find);
  if (at < 0) return bytes;
  const rest = replaceBytes(bytes.slice(at + find.length), from, to);
  return concat(bytes.slice(0, at), put, rest);
}

/** The last bit of the bytes changed. */
export function lastBitFlipped(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte));
}
