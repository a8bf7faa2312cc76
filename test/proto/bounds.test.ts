import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

/** Every message says how large it may be; what reads it from the network holds it to that. */
const files = globSync('proto/enclave_licensing/**/*.proto');

function messages(text: string): { name: string; comment: string }[] {
  const found: { name: string; comment: string }[] = [];
  let comment = '';
  for (const line of text.split('\n')) {
    const said = /^\s*\/\/ ?(.*)$/.exec(line);
    const message = /^\s*message (\w+)/.exec(line);
    if (said) comment += ` ${said[1]}`;
    else {
      if (message?.[1]) found.push({ name: message[1], comment });
      comment = '';
    }
  }
  return found;
}

describe('proto', () => {
  test('every message has a size bound in its comment', () => {
    const unbounded = files.flatMap((file) =>
      messages(readFileSync(file, 'utf8'))
        .filter(({ comment }) => !/\bat most [\d,]+ (bytes|KiB|MiB)\b/.test(comment))
        .map(({ name }) => `${file}: ${name}`),
    );
    expect(files.length).toBeGreaterThan(8);
    expect(unbounded).toEqual([]);
  });

  test('a file with a service holds nothing else, so that importers of a message do not load gRPC', () => {
    const mixed = files.filter((file) => {
      const text = readFileSync(file, 'utf8');
      return /^service /m.test(text) && /^(message|enum) /m.test(text);
    });
    expect(mixed).toEqual([]);
  });
});
