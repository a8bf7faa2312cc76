/** Frame types and flags of RFC 9113, 6, and frames as bytes, for tests that say what no library would. */
export const [DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION] = [
  0, 1, 2, 3, 4, 6, 7, 9,
] as const;
export const [END_STREAM, END_HEADERS] = [1, 4] as const;

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A field as HPACK has it without any table (RFC 7541, 6.2.2). */
export function literal(name: string, value: string): Buffer {
  return Buffer.concat([
    Buffer.from([0, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value),
  ]);
}

/** HPACK (RFC 7541): method (0x82 GET, 0x83 POST), https, "/", then ":authority: e". */
export function requestHead(method: 0x82 | 0x83 = 0x82): Buffer {
  return Buffer.from([method, 0x87, 0x84, 0x01, 1, 0x65]);
}

export const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(SETTINGS, 0, 0),
]);
