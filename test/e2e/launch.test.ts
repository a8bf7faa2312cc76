import { createHash, X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EVIDENCE_ALPN } from '../../names/wire.ts';
import { command, mustRun } from '../../tools/cluster/command.ts';
import { request } from '../../tools/demo/data-connection.ts';
import type { Person } from '../../tools/demo/people.ts';
import { forwarded } from '../support/forwarded.ts';
import { runVerifySh } from '../support/verify-sh.ts';
import {
  type LaunchOutcome,
  launch,
  type PodView,
  startWorld,
  succeed,
  type World,
} from '../support/world.ts';

let world: World;
let alice: Person;
let launched: LaunchOutcome;
let folder: string;
let pod: PodView;
let bundle: { endpoint: string; serverName: string; leafIndex?: number; leafCount: number };

const file = (name: string): string => join(folder, name);
const text = (name: string): string => readFileSync(file(name), 'utf8').trim();

beforeAll(async () => {
  world = await startWorld();
  alice = await world.user('alice');
  launched = await launch(alice);
  expect(launched.code, launched.output).toBe(0);
  folder = join(alice.home, 'export');
  await succeed(alice, ['bundle', 'export', folder, '--enclave', launched.enclave]);
  bundle = JSON.parse(text('bundle.json'));
  const pods = await world.pods();
  pod = pods.find(({ metadata }) => metadata.name === launched.enclave) as PodView;
});

afterAll(() => world?.stop());

describe('one launch, checked from outside', () => {
  test('all of it: the export verifies itself with Debian packages alone, and not with one byte changed in any file', async () => {
    const [, command = ''] = /^ {2}sh verify\.sh (.*)$/m.exec(text('README.txt')) ?? [];
    const verified = await runVerifySh(folder, command.split(' '));
    expect(verified.exit, verified.text).toBe(0);
    // Whoever reads an export has no connection, asked with no nonce and remembers no TPM.
    const notRun = [...verified.outcomes].filter(([, ok]) => ok === 'not-run').map(([name]) => name);
    expect(notRun).toEqual(['live-certificate', 'nonce', 'known-tpm']);
    const files = readdirSync(folder).filter((name) => !/^(verif|user-)/.test(name));
    expect(files.length).toBeGreaterThan(20);
    for (const name of files) {
      const content = readFileSync(file(name));
      const middle = content.length >> 1;
      const changed = Buffer.from(content);
      changed[middle] = (content[middle] ?? 0) ^ 1;
      writeFileSync(file(name), changed);
      const { exit, outcomes, text } = await runVerifySh(folder, command.split(' '));
      // What the exporter judges by may be unreadable now: then nothing is judged.
      expect(exit === 1 || (exit === 2 && outcomes.size === 0), `${name}\n${text}`).toBe(true);
      writeFileSync(file(name), content);
    }
  });

  test('the quote: tpm2_checkquote', async () => {
    const args = (data: string): string[] => [
      ...['-u', file('attestation-key.pem'), '-m', file('attest.bin'), '-s', file('signature.bin')],
      ...['-g', 'sha256', '-f', file('pcr-values.bin'), '-q', data],
    ];
    await mustRun('tpm2_checkquote', args(text('qualifying-data.hex')));
    const wrong = text('qualifying-data.hex').replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
    expect((await command('tpm2_checkquote', args(wrong))).code).not.toBe(0);
  });

  test('the qualifying data: leaf and root over the statement, with plain SHA-256', () => {
    const statement = readFileSync(file('statement.json'));
    const { blinder } = JSON.parse(text('bundle.json')) as { blinder: string };
    const sha256 = (...parts: Uint8Array[]): Buffer => {
      const hash = createHash('sha256');
      for (const part of parts) hash.update(part);
      return hash.digest();
    };
    const uint32 = (value: number): Buffer => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return bytes;
    };
    expect(bundle.leafCount).toBe(1);
    const leaf = sha256(
      Buffer.from([0]),
      Buffer.from('enclave-leaf/1'),
      uint32(statement.length),
      statement,
      Buffer.from(blinder, 'base64'),
    );
    const data = sha256(Buffer.from('enclave-batch/1'), uint32(1), leaf);
    expect(data.toString('hex')).toBe(text('qualifying-data.hex'));
  });

  test('the chains: openssl verify', async () => {
    await mustRun('openssl', [
      ...['verify', '-x509_strict', '-CAfile', file('roots-enclaves.pem'), file('certificate.pem')],
    ]);
    await mustRun('openssl', [
      ...['verify', '-CAfile', file('roots-attestation-keys.pem')],
      file('attestation-key-certificate-chain.pem'),
    ]);
    // A root of another role is no root of this one.
    const foreign = await command('openssl', [
      ...['verify', '-CAfile', file('roots-users.pem'), file('certificate.pem')],
    ]);
    expect(foreign.code).not.toBe(0);
  });

  test('the live certificate is the quoted one: openssl s_client', async () => {
    const said = await mustRun('openssl', [
      ...['s_client', '-connect', bundle.endpoint, '-servername', bundle.serverName],
      ...['-alpn', EVIDENCE_ALPN, '-tls1_3', '-CAfile', file('roots-enclaves.pem'), '-verify_return_error'],
    ]);
    const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(said)?.[0] ?? '';
    const live = new X509Certificate(pem);
    expect(live.raw.equals(readFileSync(file('certificate.der')))).toBe(true);
    const { cnf } = JSON.parse(text('statement.json')) as { cnf: Record<string, string> };
    expect(cnf['x5t#S256']).toBe(createHash('sha256').update(live.raw).digest('base64url'));
  });

  test('mutual TLS: curl with the exported credentials, and none without', async () => {
    const [host, port] = bundle.endpoint.split(':');
    const curl = (...more: string[]) =>
      command('curl', [
        ...['--silent', '--show-error', '--max-time', '10', '--cacert', file('roots-enclaves.pem'), ...more],
        ...['--resolve', `${bundle.serverName}:${port}:${host}`],
        `https://${bundle.serverName}:${port}/hello`,
      ]);
    const own = await curl('--cert', file('user-certificate.pem'), '--key', file('user-key.pem'));
    expect(own.code, own.stderr).toBe(0);
    expect(JSON.parse(own.stdout)).toMatchObject({ app: 'demo-app', path: '/hello' });
    const nobody = await curl();
    expect(nobody.code).not.toBe(0);
    expect(nobody.stdout).toBe('');
  });

  test('the statement names the pod that the API server knows', () => {
    const statement = JSON.parse(text('statement.json')) as { pod: Record<string, unknown> };
    expect(statement.pod).toMatchObject({
      uid: pod.metadata.uid,
      name: pod.metadata.name,
      namespace: pod.metadata.namespace,
      node: pod.spec.nodeName,
      enclave: launched.enclave,
    });
  });

  test('enclavectl connect: attested, then a request on a local port', async () => {
    const connection = await forwarded(alice, world.settings, [launched.enclave]);
    try {
      const answer = await fetch(`http://127.0.0.1:${connection.port}/through-connect`);
      expect(await answer.json()).toMatchObject({ app: 'demo-app', path: '/through-connect' });
    } finally {
      await connection.stop();
    }
  });

  test('a resumed or older TLS session is not spoken', async () => {
    const old = await command('openssl', [
      ...['s_client', '-connect', bundle.endpoint, '-servername', bundle.serverName, '-tls1_2'],
    ]);
    expect(old.code).not.toBe(0);
    // OpenSSL sends TLS 1.3 tickets whatever Node asks; what they name is kept nowhere, so none resumes.
    const session = join(alice.home, 'session');
    const connect = ['s_client', '-connect', bundle.endpoint, '-servername', bundle.serverName];
    const tls13 = ['-alpn', EVIDENCE_ALPN, '-tls1_3', '-ign_eof'];
    const ask = `GET /v1/access-decision HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;
    const first = await command('openssl', [...connect, ...tls13, '-sess_out', session], { input: ask });
    expect(first.stdout).toContain('New, TLSv1.3');
    const second = await command('openssl', [...connect, ...tls13, '-sess_in', session], { input: ask });
    expect(second.stdout).toContain('New, TLSv1.3');
    expect(second.stdout).not.toContain('Reused');
  });

  test('no password, token or private key in a log, an argument list or a pod', async () => {
    const secrets = [readFileSync(alice.passwordFile, 'utf8').trim()];
    const session = JSON.parse(await sessionOf(alice)) as { token: string };
    secrets.push(session.token);
    const pods = await world.environment.kubectl(['get', 'pods', '-A', '-o', 'yaml']);
    const places = new Map([...(await world.environment.logs()), ['kubectl get pods -A -o yaml', pods]]);
    for (const component of ['front', 'launcher', 'agent', 'certs', 'webhook', 'sidecar'])
      for (const pid of world.environment.processes(
        component,
        component === 'sidecar' ? launched.enclave : undefined,
      ))
        places.set(`arguments of ${component}`, readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
    expect(places.size).toBeGreaterThan(10);
    for (const [place, content] of places) {
      for (const secret of secrets) expect(content.includes(secret), place).toBe(false);
      expect(content, place).not.toMatch(
        /-----BEGIN (EC |RSA )?PRIVATE KEY|eyJhbGciOi[\w-]+\.[\w-]+\.[\w-]{20}/,
      );
    }
  });

  test('stop: no pod, no request and no seat is left', async () => {
    await succeed(alice, ['stop', launched.enclave]);
    const names = (await world.pods()).map(({ metadata }) => metadata.name);
    expect(names).not.toContain(launched.enclave);
    expect((await world.requests()).filter((name) => name.includes(pod.metadata.uid))).toEqual([]);
    const data = await request(bundle.endpoint, { serverName: bundle.serverName });
    expect(data.error).toBeDefined();
  });
});

/** The session's token as enclavectl keeps it. */
async function sessionOf(who: Person): Promise<string> {
  return await mustRun('bash', ['-c', `cat $(grep -rl '"token"' ${who.home} | head -1)`]);
}
