import type { TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { Failure } from '../../client/failure.ts';
import { fetchEvidence } from '../../client/library/evidence/fetch-evidence.ts';
import { createAttestedConnector } from '../../client/library/session/attested-connector.ts';
import { toHex } from '../../formats/bytes/bytes.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { createCredential } from '../../platform/identity/credential.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { elapsedClock } from '../../platform/run/elapsed-clock.ts';
import { type FakeEnclave, fakeEnclave, SERVER_NAME } from '../support/client-enclave.ts';
import { userCertificate } from '../support/client-front.ts';
import { fixtureRoots } from '../support/fixture-certificates.ts';
import { withForcedSession } from '../support/forced-session.ts';
import { until } from '../support/until.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

/** A connector to a fake enclave. What a verdict is does not matter here: the evidence that comes is good unless `verdict` says not. */
async function connecting(times: { evidenceMs: number; renewMs: number }) {
  const key = generateKey();
  const enclave = await fakeEnclave(toHex(nodeCrypto.hash('sha256', key.spki)));
  const [host = '', port = ''] = enclave.endpoint.split(':');
  const abort = new AbortController();
  const said = { refused: [] as unknown[], expired: [] as string[], trouble: [] as unknown[] };
  const world = { verdict: (): void => undefined, extraMs: 0 };
  const clock = elapsedClock();
  const endpoint = { host, port: Number(port) };
  const connector = createAttestedConnector({
    ...{ endpoint, serverName: SERVER_NAME, alpn: ['http/1.1'], signal: abort.signal, ...times },
    clock: { now: () => clock.now() + world.extraMs },
    roots: () => fixtureRoots().enclaves,
    credential: async () => createCredential(key.privateKey, [userCertificate(key.spki)]),
    attest: async () => {
      const nonce = new Uint8Array(32).map(() => Math.floor(Math.random() * 256));
      const { liveCertificate } = await fetchEvidence(endpoint, SERVER_NAME, nonce, abort.signal);
      world.verdict();
      return liveCertificate;
    },
    onRefused: (reason) => said.refused.push(reason),
    onExpired: (count, { code }) => said.expired.push(`${count} ${code}`),
    onTrouble: (reason) => said.trouble.push(reason),
  });
  undo.push(
    () => enclave.close(),
    () => abort.abort(),
  );
  const open = async (): Promise<Opened> => {
    const socket = await connector.connect();
    const ended = new Promise<string>((resolve) => {
      socket.once('error', (error) => resolve(error instanceof Failure ? error.code : error.message));
      socket.once('close', () => resolve('closed'));
    });
    return { socket, ended };
  };
  return { enclave, connector, open, said, world, abort };
}

interface Opened {
  readonly socket: TLSSocket;
  readonly ended: Promise<string>;
}

async function echoes({ socket }: Opened, text: string): Promise<void> {
  socket.write(text);
  const [answer] = await new Promise<[Buffer]>((resolve) => socket.once('data', (chunk) => resolve([chunk])));
  expect(answer.toString()).toBe(text);
}

const refusal = new Failure('verdict', 'clock-went-back', 'refused', 'ask');
const distinct = ({ nonces }: FakeEnclave): number => new Set(nonces).size;

test('a nonce of its own for each connection, also for several at once', async () => {
  const { enclave, open } = await connecting({ evidenceMs: 60_000, renewMs: 30_000 });
  for (const each of await Promise.all([open(), open(), open(), open()])) await echoes(each, 'together');
  await echoes(await open(), 'alone');
  expect(enclave.nonces).toHaveLength(5);
  expect(distinct(enclave)).toBe(5);
});

test('evidence is renewed while a connection is open, and not when none is', async () => {
  const { enclave, open } = await connecting({ evidenceMs: 2_500, renewMs: 100 });
  const one = await open();
  const start = performance.now();
  // Longer than one piece of evidence is good for.
  const passed = async () => performance.now() - start > 3_000 && enclave.nonces.length >= 5;
  await until('it is renewed several times', passed);
  await echoes(one, 'still here');
  expect(distinct(enclave)).toBe(enclave.nonces.length);
  one.socket.destroy();
  await one.ended;
  let last = { length: -1, at: 0 };
  await until('nothing is asked any more', async () => {
    const now = performance.now();
    if (last.length !== enclave.nonces.length) last = { length: enclave.nonces.length, at: now };
    return now - last.at > 600;
  });
});

test('refused evidence cuts every connection at once', async () => {
  const { open, said, world } = await connecting({ evidenceMs: 60_000, renewMs: 200 });
  const opened = [await open(), await open()];
  world.verdict = () => {
    throw refusal;
  };
  expect(await Promise.all(opened.map(({ ended }) => ended))).toEqual(['clock-went-back', 'clock-went-back']);
  expect(said).toMatchObject({ refused: [refusal], expired: [] });
  // And nobody gets in.
  await expect(open()).rejects.toBe(refusal);
});

test('evidence that is refused to a new connection is looked at for the old ones at once', async () => {
  const { open, world } = await connecting({ evidenceMs: 60_000, renewMs: 30_000 });
  const old = await open();
  world.verdict = () => {
    throw refusal;
  };
  await expect(open()).rejects.toBe(refusal);
  expect(await old.ended).toBe('clock-went-back');
});

test('an enclave that is busy or away is asked again until the evidence is too old, then the connection is cut', async () => {
  const { enclave, open, said } = await connecting({ evidenceMs: 4_000, renewMs: 100 });
  const one = await open();
  enclave.busy(true);
  await until('it is asked in vain', async () => said.trouble.length === 1);
  enclave.busy(false);
  const { length } = enclave.nonces;
  await until('it is renewed again', async () => enclave.nonces.length > length + 2);
  await echoes(one, 'not cut');
  enclave.busy(true);
  expect(await one.ended).toBe('evidence-not-renewed');
  expect(said).toMatchObject({ refused: [], expired: ['1 evidence-not-renewed'] });
  expect(said.trouble).toHaveLength(2);
});

test('when the enclave renews its certificate, new connections get it and old ones drain until their evidence is too old', async () => {
  const { enclave, open, said } = await connecting({ evidenceMs: 3_500, renewMs: 200 });
  const old = await open();
  const shown = enclave.leaf;
  enclave.rotate();
  const fresh = await open();
  expect(Buffer.from(enclave.leaf).equals(shown)).toBe(false);
  await echoes(old, 'draining');
  await echoes(fresh, 'new');
  expect(await old.ended).toBe('certificate-rotated');
  await echoes(fresh, 'goes on');
  expect(said).toEqual({ refused: [], trouble: [], expired: ['1 certificate-rotated'] });
});

test('a machine that slept past the age of its evidence has its connections cut when it wakes', async () => {
  const { open, world, enclave } = await connecting({ evidenceMs: 600_000, renewMs: 300_000 });
  const one = await open();
  enclave.busy(true);
  world.extraMs = 3_600_000;
  expect(await one.ended).toBe('evidence-not-renewed');
});

test('a session that is resumed all the same is no connection: nothing says whose it is', async () => {
  const { enclave, connector, open } = await connecting({ evidenceMs: 60_000, renewMs: 30_000 });
  enclave.offerTickets();
  const first = await open();
  await echoes(first, 'mine');
  const session = first.socket.getSession();
  const before = enclave.received.length;
  if (session === undefined) throw new Error('no ticket came');
  await withForcedSession(session, () =>
    expect(connector.connect()).rejects.toMatchObject({ code: 'ERR_TLS_SESSION_RESUMED' }),
  );
  expect(enclave.received.slice(before)).toEqual([]);
  await echoes(await open(), 'mine again');
});

test('the end of the command ends what is under way', async () => {
  const { enclave, open, abort } = await connecting({ evidenceMs: 60_000, renewMs: 30_000 });
  await enclave.close();
  const waiting = Array.from({ length: 50 }, () => open().catch((error: unknown) => error));
  abort.abort();
  const start = Date.now();
  expect(await Promise.all(waiting)).toHaveLength(50);
  // They would be asked again for a minute.
  expect(Date.now() - start).toBeLessThan(10_000);
});
