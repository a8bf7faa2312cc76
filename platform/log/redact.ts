/** Member names whose values never reach a log, at any depth, whatever their case and separators. */
const SECRET =
  /(password|passphrase|secret|token|authorization|cookie|private[-_]?key|keypem|key[-_]?pem|credential|^pin$|^jwt$)/i;
/** Names that match the above but hold no secret. */
const HARMLESS = /^(tokenFile|passwordFile|tokenName|secretName|tokenKeys|keySha256)$/;
/** Secrets inside texts: bearer tokens, JWTs, PEM private keys. */
const IN_TEXT =
  /Bearer\s+[\w.~+/=-]+|\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;
/** Of a text that is written. Looking for secrets in a long one that is made for it takes minutes. */
const MAX_TEXT = 8192;
const MAX_DEPTH = 6;
const MAX_ITEMS = 100;

/**
 * A copy of a log's fields that is safe to write: secrets replaced, bytes as their length, errors as name, message and code, depth bounded.
 */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return redactError(value, depth);
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (depth >= MAX_DEPTH) return '[deep]';
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => redact(item, depth + 1));
  if (value instanceof Date) return value.toJSON();
  const copy: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value).slice(0, MAX_ITEMS))
    copy[key] =
      SECRET.test(key) && !HARMLESS.test(key) && member !== undefined
        ? '[redacted]'
        : redact(member, depth + 1);
  return copy;
}

export function redactText(text: string): string {
  const whole = text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`;
  return whole.replace(IN_TEXT, '[redacted]');
}

function redactError(error: Error, depth: number): object {
  return {
    name: error.name,
    message: redactText(error.message),
    ...('code' in error ? { code: String(error.code) } : {}),
    ...(error.cause !== undefined && depth < MAX_DEPTH ? { cause: redact(error.cause, depth + 1) } : {}),
    // The first frames say where; the message above is not repeated.
    stack: (error.stack ?? '')
      .split('\n')
      .filter((line) => line.startsWith('    at '))
      .slice(0, 6)
      .map((line) => line.trim()),
  };
}
