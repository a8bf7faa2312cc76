import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import type { Attest } from '../../formats/tpm/attest.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { formatPolicy } from '../../verify/policy/format-policy.ts';
import { ENCLAVE } from '../support/client-enclave.ts';
import { type FakeFront, fakeFront } from '../support/client-front.ts';
import { aliceLoggedIn, noticesOf, type Person, type Ran } from '../support/enclavectl.ts';
import { type Changes, FIXTURE_POLICY } from '../support/evidence.ts';
import { fixtureRoots } from '../support/fixture-certificates.ts';
import { ecKey } from '../support/fixture-keys.ts';
import { onTerminal } from '../support/terminal.ts';

let front: FakeFront;
let alice: Person;
beforeEach(async () => {
  front = await fakeFront();
  alice = await aliceLoggedIn(front.address);
  policy(60);
});
afterEach(async () => {
  alice.remove();
  await front.close();
});

/** Any endorsement key, and evidence of at most so many seconds. */
const policy = (maxAge: number): string =>
  alice.file('policy.json', JSON.stringify(formatPolicy({ ...FIXTURE_POLICY, eks: 'any', maxAge })));
const clock = (part: Partial<Attest['clockInfo']>): Changes => ({
  attest: (a) => ({ ...a, clockInfo: { ...a.clockInfo, ...part } }),
});
const otherTpm: Changes = {
  akCertificate: (fields) => ({
    ...fields,
    extensions: { ...fields.extensions, tpmTrust: { ekSha256: 'cd'.repeat(32), how: 'vendor-root' } },
  }),
};
const status = (): Promise<Ran> => alice.run('status', ENCLAVE, '--verify', '--json');
const pipe = async (text: string): Promise<Ran> => {
  const connected = alice.start('connect', ENCLAVE);
  connected.stdin.end(text);
  return connected.ended;
};

test('a new node, a new key of the same TPM and a restart are told, each once', async () => {
  const launched = await alice.run('launch', 'hello');
  expect(launched.err).toMatch(/^notice: the node node-1 is seen for the first time.*\(node-new\)$/m);
  expect(noticesOf(await status())).toEqual([]);
  front.enclave().change({ ak: ecKey('second ak') });
  expect(noticesOf(await status())).toEqual(['attestation-key-new']);
  front.enclave().change({});
  expect(noticesOf(await status())).toEqual([]);
  front.enclave().change({ ak: ecKey('second ak'), ...clock({ resetCount: 8, clock: 5n }) });
  // Standard output is the enclave's, with --json too.
  const connected = alice.start('connect', ENCLAVE, '--json');
  connected.stdin.end('hello');
  const restarted = await connected.ended;
  expect(restarted).toMatchObject({ exit: 0, out: 'hello' });
  expect(restarted.err).toContain('from 7 to 8 (node-restarted)');
  expect(noticesOf(await status())).toEqual([]);
});

describe('another TPM, or one that went back', () => {
  test.each([
    ['node-other-tpm', otherTpm],
    ['clock-went-back', clock({ resetCount: 6, clock: 9_000_000n })],
  ] as const)('%s: refused until it is accepted by name', async (code, change) => {
    await alice.run('launch', 'hello');
    front.enclave().change(change);
    const before = front.enclave().received.length;
    const refused = await pipe('secret');
    expect(refused).toMatchObject({ exit: 1, out: '' });
    expect(refused.err).toContain(`(${code})`);
    expect(refused.err).toContain('enclavectl trust accept node-1');
    expect(front.enclave().received.slice(before)).toEqual([]);
    for (const json of [await status(), await alice.run('connect', ENCLAVE, '--json')])
      expect(JSON.parse(json.out)).toMatchObject({
        ...{ ok: false, code },
        remedy: expect.stringContaining('trust accept node-1'),
      });
    expect((await alice.run('trust', 'show')).out).toContain(`REFUSED of the node node-1`);
    // Nobody there to mean it.
    expect(JSON.parse((await alice.run('trust', 'accept', 'node-1', '--json')).out)).toMatchObject({
      code: 'not-confirmed',
    });
    expect(await pipe('secret')).toMatchObject({ exit: 1 });
    const accepted = await alice.run('trust', 'accept', 'node-1', '--yes');
    expect(accepted, accepted.err).toMatchObject({ exit: 0 });
    expect(await pipe('open')).toMatchObject({ exit: 0, out: 'open' });
    // What was accepted is what counts: the TPM of before is another one now; one that went forward again is no news.
    front.enclave().change({});
    expect((await pipe('back')).exit).toBe(code === 'node-other-tpm' ? 1 : 0);
    expect(await alice.run('trust', 'accept', 'node-9', '--yes')).toMatchObject({ exit: 2 });
  });

  test('on a terminal the name of the node is asked for, and nothing else will do', async () => {
    await alice.run('launch', 'hello');
    front.enclave().change(otherTpm);
    await pipe('secret');
    for (const [typed, exit] of [
      ['yes\r', 2],
      ['\u0003', 130],
      ['node-1\r', 0],
    ] as const) {
      const accept = onTerminal(alice.home, front, 'trust', 'accept', 'node-1');
      await expect.poll(accept.text).toContain('Type the node');
      expect(accept.text()).toContain('cd'.repeat(32));
      expect(await pipe('secret')).toMatchObject({ exit: 1 });
      accept.type(typed);
      expect(await accept.ended, accept.text()).toBe(exit);
    }
    expect(await pipe('open')).toMatchObject({ exit: 0, out: 'open' });
  });

  test('what is refused for another reason too is not offered to be accepted', async () => {
    await alice.run('launch', 'hello');
    front.enclave().change(otherTpm);
    // The fixture's policy lists the endorsement key of before.
    alice.file('policy.json', JSON.stringify(formatPolicy(FIXTURE_POLICY)));
    const refused = await pipe('secret');
    expect(refused.exit).toBe(1);
    expect(refused.err).not.toContain('trust accept');
    expect(JSON.parse((await alice.run('trust', 'show', '--json')).out)).toMatchObject({ refused: [] });
  });

  test('while connected: the connection is cut, and the command ends as a verdict’s', async () => {
    await alice.run('launch', 'hello');
    const connected = alice.start('connect', ENCLAVE, '--listen', '0', '--renew-evidence', '1s');
    await expect.poll(() => connected.out()).toContain('forwarding');
    const local = connectTcp(Number(/127\.0\.0\.1:(\d+)/.exec(connected.out())?.[1]), '127.0.0.1');
    const closed = new Promise((resolve) => local.once('close', resolve));
    local.on('error', () => undefined).write('one');
    await new Promise((resolve) => local.once('data', resolve));
    const asked = front.enclave().nonces.length;
    await expect.poll(() => front.enclave().nonces.length).toBeGreaterThan(asked);
    front.enclave().change(clock({ clock: 1n }));
    await closed;
    const ended = await connected.ended;
    expect(ended).toMatchObject({ exit: 1 });
    expect(ended.err).toContain('enclavectl trust accept node-1');
  });

  test('while connected through a pipe: an enclave that gives no evidence any more is unreachable', async () => {
    await alice.run('launch', 'hello');
    policy(5);
    const connected = alice.start('connect', ENCLAVE, '--renew-evidence', '1s', '--json');
    connected.stdin.write('still open');
    await expect.poll(() => connected.out()).toBe('still open');
    front.enclave().busy(true);
    const { exit, out, err } = await connected.ended;
    expect({ exit, out }).toEqual({ exit: 3, out: 'still open' });
    expect(err).toContain('(evidence-not-renewed)');
  });
});

test('a damaged memory refuses every command that would judge by it, and says which file', async () => {
  await alice.run('launch', 'hello');
  const hash = rootsSha256(nodeCrypto, rootsToJson(fixtureRoots())).slice(0, 32);
  const folder = join(alice.home, '.local/state/enclavectl/trust', hash);
  for (const name of ['nodes.json', 'trust-documents.json']) {
    const path = join(folder, name);
    const good = readFileSync(path);
    writeFileSync(path, good.subarray(0, good.length / 2));
    for (const argv of [
      ['status', ENCLAVE, '--verify'],
      ['connect', ENCLAVE],
      ['trust', 'show'],
    ]) {
      const { exit, out } = await alice.run(...argv, '--json');
      expect({ exit, ...JSON.parse(out) }, `${name}: ${argv}`).toMatchObject({
        exit: 2,
        code: 'state-damaged',
      });
      expect(out).toContain(path);
    }
    writeFileSync(path, good);
  }
  expect((await status()).exit).toBe(0);
});

test('Ctrl-C ends a command at once, whoever it waits for', async () => {
  await alice.run('launch', 'hello');
  // Takes connections and says nothing.
  const held: Socket[] = [];
  const silent = createServer((socket) => void held.push(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  for (const argv of [
    ['connect', ENCLAVE, '--endpoint', `127.0.0.1:${port}`],
    ['--server', `127.0.0.1:${port}`, 'connect', ENCLAVE],
  ]) {
    const before = held.length;
    const connected = alice.start(...argv);
    await expect.poll(() => held.length).toBeGreaterThan(before);
    const start = performance.now();
    connected.interrupt();
    expect(await connected.ended, argv.join(' ')).toMatchObject({ exit: 130 });
    // Any of its waits is longer, and a busy machine is slow.
    expect(performance.now() - start, argv.join(' ')).toBeLessThan(4_000);
  }
  for (const each of held) each.destroy();
  silent.close();
});

test.each(['500ms', '60s', '1h'])('--renew-evidence %s: refused with the bounds', async (interval) => {
  await alice.run('launch', 'hello');
  const { exit, out } = await alice.run('connect', ENCLAVE, '--renew-evidence', interval, '--json');
  expect({ exit, ...JSON.parse(out) }).toMatchObject({ exit: 2, code: 'renewal-invalid' });
});
