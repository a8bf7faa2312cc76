/** Groups of an IPv6 address, and those of a /64. */
const [GROUPS, NETWORK] = [8, 4];

/**
 * Whom a peer's address is counted as: itself under IPv4, its /64 under IPv6, of which everybody has 2^64 addresses to come from.
 * @param address as Node writes it: in the short form of RFC 5952
 */
export function sourceOf(address: string): string {
  if (!address.includes(':')) return address;
  const [, mapped] = /^::ffff:([\d.]+)$/.exec(address) ?? [];
  if (mapped !== undefined) return mapped;
  const [head = [], tail = []] = address
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''));
  const zeros = Array.from({ length: Math.max(0, GROUPS - head.length - tail.length) }, () => '0');
  return `${[...head, ...zeros, ...tail].slice(0, NETWORK).join(':')}::/64`;
}
