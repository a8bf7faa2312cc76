/** Fields of one connection (RFC 9110, 7.6.1), and the token, which is ours to add. */
const OWN: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-enclave-token',
]);

/** A head as it goes on, as name, value, name, value; also without what its own `Connection` names. */
export function forwardedFields(raw: readonly string[]): string[] {
  const named = new Set(OWN);
  for (let i = 0; i + 1 < raw.length; i += 2)
    if (raw[i]?.toLowerCase() === 'connection')
      for (const name of (raw[i + 1] ?? '').split(',')) named.add(name.trim().toLowerCase());
  for (const name of ['content-length', 'host']) named.delete(name);
  return raw.filter((_, i) => !named.has((raw[i - (i % 2)] ?? '').toLowerCase()));
}
