const MAX_CONTENT_BYTES = 64;

function base128(arc: bigint): number[] {
  const groups = [Number(arc & 0x7fn)];
  for (let rest = arc >> 7n; rest > 0n; rest >>= 7n) groups.unshift(Number(rest & 0x7fn) | 0x80);
  return groups;
}

/**
 * Content bytes of an OBJECT IDENTIFIER (X.690, 8.19). Arcs may exceed 64 bits, as those under 2.25 do (X.667).
 * @throws RangeError for a text that is no object identifier: these are constants of the caller
 */
export function encodeObjectIdentifier(dotted: string): Uint8Array {
  if (!/^[0-2](\.(0|[1-9][0-9]*))+$/.test(dotted)) throw new RangeError(`${dotted} is no object identifier`);
  const [root = 0n, second = 0n, ...rest] = dotted.split('.').map(BigInt);
  if (root < 2n && second > 39n) throw new RangeError(`${dotted} is no object identifier`);
  return Uint8Array.from([40n * root + second, ...rest].flatMap(base128));
}

/** Dotted form of content bytes; undefined when they are empty, cut off, not minimal or longer than 64 bytes. */
export function decodeObjectIdentifier(content: Uint8Array): string | undefined {
  if (content.length === 0 || content.length > MAX_CONTENT_BYTES) return undefined;
  const arcs: (number | bigint)[] = [];
  let arc: number | bigint = 0;
  let fresh = true;
  for (const byte of content) {
    if (fresh && byte === 0x80) return undefined;
    const group: number = byte & 0x7f;
    if (typeof arc === 'number' && arc <= 0x3fffffffffff) arc = arc * 128 + group;
    else arc = BigInt(arc) * 128n + BigInt(group);
    fresh = byte < 0x80;
    if (!fresh) continue;
    arcs.push(arc);
    arc = 0;
  }
  if (!fresh) return undefined;
  const [first = 0, ...rest] = arcs;
  const root = first < 40 ? 0 : first < 80 ? 1 : 2;
  const second = typeof first === 'number' ? first - 40 * root : first - 80n;
  return [root, second, ...rest].join('.');
}
