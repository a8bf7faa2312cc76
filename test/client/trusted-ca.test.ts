import { connect as connectTcp } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { formatPolicy } from '../../verify/policy/format-policy.ts';
import { ENCLAVE } from '../support/client-enclave.ts';
import { type FakeFront, fakeFront, trustDocument } from '../support/client-front.ts';
import { aliceLoggedIn, logIn, noticesOf, type Person, type Ran } from '../support/enclavectl.ts';
import { FIXTURE_POLICY } from '../support/evidence.ts';
import { fixtureRoots, rootIssuer } from '../support/fixture-certificates.ts';

let front: FakeFront;
let alice: Person;
beforeEach(async () => {
  front = await fakeFront();
  alice = await aliceLoggedIn(front.address);
  alice.file('policy.json', JSON.stringify(formatPolicy({ ...FIXTURE_POLICY, eks: 'any', maxAge: 60 })));
});
afterEach(async () => {
  alice.remove();
  await front.close();
});

const status = (): Promise<Ran> => alice.run('status', ENCLAVE, '--verify', '--json');

describe('the CA', () => {
  test('new roots that a held root vouched for are told once; a CA that none did is refused until it is pinned', async () => {
    await alice.run('launch', 'hello');
    const both = { ...fixtureRoots(), users: [...fixtureRoots().users, ...fixtureRoots('next').users] };
    front.override({
      getTrustDocument: async () => ({ trustDocument: trustDocument({ version: 8, roots: both }) }),
    });
    expect(noticesOf(await status())).toEqual(['ca-new-roots']);
    expect(noticesOf(await status())).toEqual([]);
    // Somebody else's CA, with a higher version.
    const theirs = { trustDocument: trustDocument({ version: 9 }, 'another') };
    front.override({ getTrustDocument: async () => theirs });
    const fingerprint = rootsSha256(nodeCrypto, rootsToJson(fixtureRoots('another')));
    for (const argv of [
      ['status', ENCLAVE, '--verify'],
      ['connect', ENCLAVE],
      ['launch', 'hello'],
    ]) {
      const { exit, out } = await alice.run(...argv, '--json');
      expect({ exit, ...JSON.parse(out) }).toMatchObject({ exit: 4, code: 'ca-not-vouched' });
      expect(JSON.parse(out).message).toContain(fingerprint);
    }
    const env = ['--ca', ''];
    expect(await alice.run(...env, 'init', '--fingerprint', fingerprint)).toMatchObject({ exit: 4 });
    const accepted = await alice.run(...env, 'init', '--replace', '--fingerprint', fingerprint);
    expect(accepted, accepted.err).toMatchObject({ exit: 0 });
    // A new CA, the same machines.
    const shown = JSON.parse((await alice.run(...env, 'trust', 'show', '--json')).out);
    expect(shown).toMatchObject({ pinnedSha256: fingerprint, nodes: [{ node: 'node-1' }] });
  });

  test('a server that stands under a new CA already, which a held root vouched for, is taken over', async () => {
    await alice.run('launch', 'hello');
    const roots = { ...fixtureRoots(), system: fixtureRoots('next').system };
    const renewed = await fakeFront('next');
    const { address } = renewed;
    renewed.override({
      getTrustDocument: async () => ({ trustDocument: trustDocument({ version: 8, roots }) }),
    });
    try {
      const first = await logIn(alice, '--server', address, '--json');
      expect(first).toMatchObject({ exit: 3 });
      expect(JSON.parse(first.out)).toMatchObject({ code: 'ca-renewed' });
      expect(await logIn(alice, '--server', address)).toMatchObject({ exit: 0 });
    } finally {
      await renewed.close();
    }
  });

  test('a CA that is renewed while connected is heard of when it is first met', async () => {
    await alice.run('launch', 'hello');
    const connected = alice.start('connect', ENCLAVE, '--listen', '0');
    await expect.poll(() => connected.out()).toContain('forwarding');
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(connected.out())?.[1]);
    const echoes = async (): Promise<string> => {
      const socket = connectTcp(port, '127.0.0.1');
      socket.on('error', () => undefined).write('x');
      return await new Promise((resolve) =>
        socket.once('data', (chunk) => resolve(chunk.toString())).once('close', () => resolve('closed')),
      );
    };
    expect(await echoes()).toBe('x');
    front.enclave().change({ certificateIssuer: rootIssuer('enclaves', 'next') });
    front.enclave().rotate();
    expect(await echoes()).toBe('closed');
    const { enclaves } = fixtureRoots('next');
    const roots = { ...fixtureRoots(), enclaves: [...fixtureRoots().enclaves, ...enclaves] };
    front.override({
      getTrustDocument: async () => ({ trustDocument: trustDocument({ version: 8, roots }) }),
    });
    expect(await echoes()).toBe('x');
    connected.interrupt();
    const { exit, err } = await connected.ended;
    expect(exit).toBe(130);
    expect(err).toContain('(chain-untrusted)');
    expect(err).toContain('(ca-new-roots)');
  });

  test('documents that are old, or older than the one held, are told', async () => {
    await alice.run('launch', 'hello');
    const issuedAt = Math.floor(Date.now() / 1000) - 3_600;
    front.override({
      getTrustDocument: async () => ({ trustDocument: trustDocument({ version: 5, issuedAt }) }),
    });
    expect(noticesOf(await status())).toEqual(['trust-document-withheld']);
    front.override({
      getTrustDocument: async () => ({ trustDocument: trustDocument({ version: 9, issuedAt }) }),
    });
    const old = await status();
    expect(noticesOf(old)).toEqual(['trust-document-old']);
    expect(old.out).toContain('60 minutes old');
  });
});
