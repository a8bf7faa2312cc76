import { expect, test } from 'vitest';
import { type Bundle, decodeBundle, encodeBundle } from '../../formats/evidence/bundle.ts';
import { verify } from '../../verify/verify.ts';
import { VerifyCache } from '../../verify/verify-cache.ts';
import { fixture } from '../support/evidence.ts';

const { bundle, policy, context } = fixture({ neighbours: 4, index: 1 });

/** What nobody signs: where the enclave is said to be, and the case of its name. */
const unsigned = ({ endpoint, serverName }: Bundle) => ({
  endpoint,
  serverName: serverName.toLowerCase() === bundle.serverName ? serverName : bundle.serverName,
});

test('every bit of the encoded bundle: refused by its reader or by verify, or in nothing that is signed', {
  timeout: 300_000,
}, () => {
  const encoded = encodeBundle(bundle);
  const cache = new VerifyCache();
  const passed: string[] = [];
  let harmless = 0;
  for (let bit = 0; bit < 8 * encoded.length; bit++) {
    const changed = encoded.with(bit >> 3, (encoded[bit >> 3] ?? 0) ^ (1 << (bit & 7)));
    const decoded = decodeBundle(changed);
    if (!decoded.ok || !verify(decoded.value, policy, { ...context, cache }).ok) continue;
    const expected = encodeBundle({ ...bundle, ...unsigned(decoded.value) });
    if (Buffer.compare(expected, changed) === 0) harmless++;
    else passed.push(`bit ${bit}`);
  }
  expect(passed).toEqual([]);
  // The letters of the server name, and what is visible in the endpoint.
  expect(harmless).toBeLessThan(8 * (bundle.endpoint.length + bundle.serverName.length));
});
