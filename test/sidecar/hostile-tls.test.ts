import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { chainPem, privateKeyPem } from '../../platform/identity/credential.ts';
import { loopbackAddress } from '../support/loopback-block.ts';
import { until } from '../support/until.ts';
import { dial, drainOf, undo, undoAll } from './sidecar-fixture.ts';
import { before, client, HALF_OPEN, opensslSession } from './tcp-fixture.ts';
import { CONTENT, tls13Records } from './tls13-records.ts';
import { owner, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

const credential = userCredential(owner);
const tls = { cert: chainPem(credential), key: privateKeyPem(credential.privateKey) };

/** What a TLS library writes first, of a client that offers the protocol `aa`. */
async function clientHello(): Promise<Buffer> {
  const server = createServer();
  undo.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'connection') as Promise<[ReturnType<typeof connect>]>;
  connectTls({ host: '127.0.0.1', port, ALPNProtocols: ['aa'], minVersion: 'TLSv1.3' }).on('error', () => {});
  const [line] = await accepted;
  const [hello] = (await once(line, 'data')) as [Buffer];
  line.destroy();
  return hello;
}

test('a new handshake within a connection (renegotiation) ends it; keys may change', async () => {
  const heard: string[] = [];
  const { bind } = await before((socket) => void socket.on('data', (chunk) => heard.push(String(chunk))));
  const records = await tls13Records(bind, 8443, tls);
  undo.push(() => records.line.destroy());
  records.line.write(records.seal(CONTENT.data, Buffer.from('one')));
  records.line.write(records.keyUpdate(false));
  records.line.write(records.seal(CONTENT.data, Buffer.from('two')));
  await until('what was said under the next key', () => heard.join('').endsWith('two'));
  const hello = await clientHello();
  records.line.write(records.seal(CONTENT.handshake, hello.subarray(5)));
  records.line.write(records.seal(CONTENT.data, Buffer.from('three')));
  await until('the end', () => records.line.closed || records.line.readableEnded);
  expect(heard.join('')).toBe('onetwo');
});

test.each<[string, (hello: Buffer) => Buffer]>([
  ['a protocol without a name', (hello) => edit(hello, '001000050003026161', '001000050003006161')],
  ['no protocol at all', (hello) => edit(hello, '001000050003026161', '001000050000026161')],
  [
    'a list that is longer than its extension',
    (hello) => edit(hello, '001000050003026161', '0010000500ff026161'),
  ],
])('%s in a ClientHello is refused in the handshake', async (_, change) => {
  const { bind, value } = await before((socket) => void socket.pipe(socket));
  const failures = value('handshake_failures_total{}');
  const line = connect({ host: bind, port: 8443 });
  line.on('error', () => {});
  undo.push(() => line.destroy());
  const chunks: Buffer[] = [];
  line.on('data', (chunk: Buffer) => chunks.push(chunk));
  line.write(change(await clientHello()));
  await once(line, 'close');
  // An alert, and nothing of a handshake.
  expect(Buffer.concat(chunks)[0]).toBe(CONTENT.alert);
  expect(value('handshake_failures_total{}')).toBe(failures + 1);
});

function edit(hello: Buffer, from: string, to: string): Buffer {
  const text = hello.toString('hex');
  expect(text.split(from).length).toBe(2);
  return Buffer.from(text.replace(from, to), 'hex');
}

test('0-RTT: what is sent before the handshake is never read, and our sessions allow none', async () => {
  const heard: string[] = [];
  const { bind } = await before((socket) => void socket.on('data', (chunk) => heard.push(String(chunk))));
  const folder = mkdtempSync(join(tmpdir(), 'early-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'client.pem'), `${tls.cert}${tls.key}`);
  writeFileSync(join(folder, 'early'), 'EARLY');
  // Another server, which would read it.
  const elsewhere = `${loopbackAddress()}:9443`;
  const server = spawn(
    'openssl',
    `s_server -accept ${elsewhere} -cert client.pem -key client.pem -early_data -tls1_3 -quiet`.split(' '),
    { cwd: folder, stdio: ['pipe', 'ignore', 'ignore'] },
  );
  undo.push(() => server.kill('SIGKILL'));
  await until('a session that allows early data', async () =>
    (await opensslSession(folder, `-connect ${elsewhere}`, 'theirs')).includes('Data: 16384'),
  );
  const ours = `-connect ${bind}:8443 -cert client.pem`;
  expect(await opensslSession(folder, ours, 'ours')).toContain('Max Early Data: 0');
  const said = await opensslSession(folder, `${ours} -sess_in theirs -early_data early`, 'again', 'late');
  expect(said).toContain('Early data was rejected');
  expect(said).toContain('New, TLSv1.3');
  await until('what was said after the handshake', () => heard.join('').includes('late'));
  expect(heard.join('')).not.toContain('EARLY');
});

test('who stays when we have said the end is let go', async () => {
  const { bind, value } = await before((socket) => void socket.resume().end('that is all'), {
    idleTimeout: 500,
  });
  const stays = await client(bind);
  expect(await drainOf(stays)).toBe('that is all');
  expect(stays.closed).toBe(false);
  await until('the place is free', () => value('connections_active{}') === 0);
  // A refused one, which has no idle timeout.
  const sockets = () => process.getActiveResourcesInfo().filter((each) => each === 'TCPSocketWrap').length;
  const without = sockets();
  await drainOf(await dial(bind, undefined, HALF_OPEN));
  await until('that only the client’s half is left', () => sockets() === without + 1);
});

const SAYS = 'Verify return code';
const REFUSED =
  /alert (protocol version|handshake failure|no application protocol|decode error|illegal parameter)/;

test.each<[string, string | RegExp]>([
  ['-tls1_2', REFUSED],
  ['-tls1_3 -sigalgs RSA-PSS+SHA256', REFUSED],
  ['-tls1_3 -ciphersuites TLS_AES_128_CCM_8_SHA256', REFUSED],
  ['-tls1_3 -alpn enclave-evidence/2', REFUSED],
  ['-tls1_3 -serverinfo 18,27,65535', REFUSED],
  ['-tls1_3 -use_srtp SRTP_AES128_CM_SHA1_80', REFUSED],
  ['-tls1_3 -groups X448', 'New, TLSv1.3'],
  ['-tls1_3 -groups ffdhe2048', 'New, TLSv1.3'],
  ['-tls1_3 -psk 1a2b3c -psk_identity somebody', 'New, TLSv1.3'],
  ['-tls1_3 -maxfraglen 512 -status -enable_pha -noservername', 'New, TLSv1.3'],
  ['-tls1_3 -reconnect', 'New, TLSv1.3'],
])('openssl s_client %s: refused in the handshake, or served as anybody', async (odd, outcome) => {
  const { bind, value } = await before((socket) => void socket.end('welcome'));
  const folder = mkdtempSync(join(tmpdir(), 'odd-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'client.pem'), `${tls.cert}${tls.key}`);
  const args = ['s_client', '-connect', `${bind}:8443`, '-cert', 'client.pem', ...odd.split(' ')];
  const child = spawn('openssl', args, { cwd: folder });
  undo.push(() => child.kill('SIGKILL'));
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  await once(child, 'close');
  if (outcome instanceof RegExp) {
    expect(said).toMatch(outcome);
    expect(value('connections_total{via="owner"}')).toBe(0);
    expect(value('handshake_failures_total{}')).toBeGreaterThan(0);
    return;
  }
  expect(said).toContain(outcome);
  expect(said).toContain(SAYS);
  expect(said).toContain('welcome');
  expect(said).not.toMatch(/^Reused/m);
});
