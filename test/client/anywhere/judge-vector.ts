import { bundleFromJson } from '../../../client/exports/evidence.ts';
import { parsePolicy, type Roots, type VerifyContext, verify } from '../../../client/exports/verify.ts';
import type { Vector } from '../../support/vector.ts';
import { nobleCrypto } from './noble-crypto.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function fromBase64(text: string): Uint8Array {
  const digits = text.replaceAll('=', '');
  const bits = [...digits].map((digit) => ALPHABET.indexOf(digit).toString(2).padStart(6, '0')).join('');
  const length = Math.floor(bits.length / 8);
  return Uint8Array.from({ length }, (_, i) => Number.parseInt(bits.slice(8 * i, 8 * i + 8), 2));
}

const fromHex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (octet) => Number.parseInt(octet, 16));

/** A vector's text in; which check failed with which code, or null, as JSON. */
export function judgeVector(text: string): string {
  const vector = JSON.parse(text) as Vector;
  const bundle = bundleFromJson(JSON.stringify(vector.bundle));
  if (!bundle.ok) return JSON.stringify([{ check: 'bundle-shape', code: 'bundle-malformed' }]);
  const policy = parsePolicy(vector.policy);
  if (!policy.ok) return JSON.stringify(policy);
  const { nonce, liveCertificate, grant, ...rest } = vector.context;
  const roots = Object.entries(vector.roots).map(([issuer, ders]) => [issuer, ders.map(fromBase64)]);
  const context: VerifyContext = {
    ...rest,
    crypto: nobleCrypto,
    trust: Object.fromEntries(roots) as Roots,
    nonce: nonce === 'unchecked' ? nonce : fromHex(nonce),
    ...(liveCertificate !== undefined && { liveCertificate: fromBase64(liveCertificate) }),
    ...(grant && {
      grant: { grant: fromBase64(grant.grant), signature: fromBase64(grant.signature) },
    }),
  };
  const { checks } = verify(bundle.value, policy.value, context);
  return JSON.stringify(
    checks.flatMap(({ name, ok, code }) => (ok === false ? [{ check: name, code }] : [])),
  );
}
