import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import * as codecs from '../../formats/evidence/agent-messages.ts';
import { MAX_RPC_REQUEST_BYTES, MAX_RPC_RESPONSE_BYTES } from '../../names/rpc-limits.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const files = execFileSync('git', ['ls-files', 'proto/enclave_licensing'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file.endsWith('.proto'));
const UNITS: Readonly<Record<string, number>> = { bytes: 1, KiB: 1024, MiB: 1024 * 1024 };

/** `enclave_licensing.trust.v1.WatchRequest` to the bytes its comment allows; undefined when it says nothing. */
const bounds = new Map<string, number | undefined>();
const calls: { service: string; request: string; response: string }[] = [];
for (const file of files) {
  const text = readFileSync(join(root, file), 'utf8');
  const pack = /^package ([\w.]+);/m.exec(text)?.[1] ?? '';
  for (const [, comment = '', name] of text.matchAll(/((?:^\/\/.*\n)*)^message (\w+)/gm)) {
    const [, amount = '', unit = ''] = /Size: at most ([\d,]+) (bytes|KiB|MiB)/.exec(comment) ?? [];
    const bytes = Number(amount.replaceAll(',', '')) * (UNITS[unit] ?? 0);
    bounds.set(`${pack}.${name}`, bytes > 0 ? bytes : undefined);
  }
  for (const [, request, response] of text.matchAll(
    /rpc \w+\((?:stream )?(\w+)\) returns \((?:stream )?(\w+)\)/g,
  ))
    calls.push({
      service: pack.split('.')[1] ?? '',
      request: `${pack}.${request}`,
      response: `${pack}.${response}`,
    });
}

test('every message says how large it may be', () => {
  expect([...bounds].filter(([, bytes]) => bytes === undefined).map(([name]) => name)).toEqual([]);
  expect(bounds.size).toBeGreaterThan(40);
});

test('gRPC takes what the comments allow, and not much more', () => {
  expect(calls.length).toBeGreaterThan(15);
  const largest = new Map<string, number>();
  for (const { service, request, response } of calls) {
    expect(bounds.get(request), request).toBeLessThanOrEqual(MAX_RPC_REQUEST_BYTES);
    largest.set(service, Math.max(largest.get(service) ?? 0, bounds.get(response) ?? 0));
  }
  expect([...largest.keys()].sort()).toEqual(Object.keys(MAX_RPC_RESPONSE_BYTES).sort());
  for (const [service, limit] of Object.entries(MAX_RPC_RESPONSE_BYTES)) {
    const allowed = largest.get(service) ?? 0;
    expect(limit, service).toBeGreaterThanOrEqual(allowed);
    expect(limit, service).toBeLessThanOrEqual(Math.max(allowed * 1.1, allowed + 65_536));
  }
});

test('the agent’s messages are bounded as their comments say', () => {
  for (const [name, { maxBytes }] of Object.entries(codecs)) {
    const message = `${name[0]?.toUpperCase()}${name.slice(1)}`;
    expect(bounds.get(`enclave_licensing.agent.v1.${message}`), message).toBe(maxBytes);
  }
});
