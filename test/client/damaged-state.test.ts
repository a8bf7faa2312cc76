import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Failure } from '../../client/failure.ts';
import { EnclaveStore } from '../../client/state/enclave-store.ts';
import { GrantStore } from '../../client/state/grant-store.ts';
import { LaunchStore } from '../../client/state/launch-store.ts';
import { SessionStore } from '../../client/state/session-store.ts';

const ID = 'eabc';
const LAUNCH = 'ab'.repeat(16);
const SECRET = 'do-not-show-this';

/** Each file of the state folder, and who reads it. */
const FILES: Readonly<Record<string, (state: string) => unknown>> = {
  'session.json': (state) => new SessionStore(state).load(),
  [`enclaves/${ID}/enclave.json`]: (state) => new EnclaveStore(state).record(ID),
  [`enclaves/${ID}/key.pem`]: (state) => new EnclaveStore(state).key(ID),
  [`enclaves/${ID}/bundle.json`]: (state) => new EnclaveStore(state).bundle(ID),
  [`enclaves/${ID}/grants.json`]: (state) => new GrantStore(join(state, 'enclaves', ID)).list(),
  [`launches/${LAUNCH}.json`]: (state) => new LaunchStore(state).load(LAUNCH),
};

const undo: (() => void)[] = [];
afterEach(() => {
  for (const each of undo.splice(0)) each();
});

function folder(): string {
  const state = mkdtempSync(join(tmpdir(), 'state-'));
  undo.push(() => rmSync(state, { recursive: true }));
  return state;
}

function failureOf(read: () => unknown): Failure {
  try {
    read();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('it was read');
}

describe.each(Object.entries(FILES))('%s', (name, read) => {
  test.each(['', 'null', '{}', '[7]', SECRET, `{"token":"${SECRET}"`])(
    'that holds %j is damaged',
    (content) => {
      const state = folder();
      mkdirSync(dirname(join(state, name)), { recursive: true });
      writeFileSync(join(state, name), content);
      const { code, message, remedy } = failureOf(() => read(state));
      expect(code).toBe('state-damaged');
      expect(message).toContain(name);
      expect(`${message}${remedy}`).not.toContain(SECRET);
    },
  );

  test('that is a folder is damaged, and one that is not there is none', () => {
    const state = folder();
    expect(read(state) ?? []).toEqual([]);
    mkdirSync(join(state, name), { recursive: true });
    expect(failureOf(() => read(state)).code).toBe('state-damaged');
  });
});

test('a damaged session is ended as any other', () => {
  const state = folder();
  writeFileSync(join(state, 'session.json'), SECRET);
  const store = new SessionStore(state);
  expect(store.clear()).toBe(true);
  expect(store.load()).toBeUndefined();
});
