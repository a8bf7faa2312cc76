import type { Http2Stream } from 'node:http2';

/** Name, value, name, value as the object that parts of node:http2 want; a name that comes again has its values as a list. */
export function headerObject(fields: readonly string[]): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = Object.create(null);
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [name, value] = [fields[i] ?? '', fields[i + 1] ?? ''];
    const had = object[name];
    object[name] = had === undefined ? value : [...(Array.isArray(had) ? had : [had]), value];
  }
  return object;
}

/** Ends a stream with trailer fields; with none when Node refuses to write them, as it does with two values where one is allowed. */
export function sendTrailers(stream: Http2Stream, fields: readonly string[]): void {
  for (const trailers of [headerObject(fields), {}])
    try {
      stream.sendTrailers(trailers);
      return;
    } catch {}
}
