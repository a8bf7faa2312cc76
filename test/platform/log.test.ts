import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { cpuMs } from '../support/cpu-ms.ts';
import { recordingLogger } from '../support/recording-logger.ts';

const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();
const jwt = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl';

test('no secret reaches a line, by name or by shape, at any depth', () => {
  const { log, lines } = recordingLogger();
  const secrets = ['hunter22', 'swordfish', jwt, pem.split('\n')[1] ?? ''];
  log.info(
    {
      password: 'hunter22',
      request: { user: 'alice', newPassword: 'swordfish', headers: { Authorization: `Bearer ${jwt}` } },
      list: [{ token: 'hunter22' }],
      note: `sent ${jwt} along`,
      error: Object.assign(new Error(`Bearer ${jwt} was refused; ${pem}`), { cause: new Error(pem) }),
      keyPem: pem,
      bytes: Buffer.from('hunter22'),
      tokenFile: '/var/run/token',
    },
    `with ${jwt} in the message`,
  );
  log.child({ sessionToken: 'hunter22', launch: 'l-1' }).error(new Error(`Bearer ${jwt}`), 'x');
  const text = lines.join('');
  for (const secret of secrets) expect(text).not.toContain(secret);
  expect(text).not.toContain(Buffer.from('hunter22').toString('base64'));
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 'info',
    component: 'test',
    request: { user: 'alice' },
    bytes: '8 bytes',
    tokenFile: '/var/run/token',
  });
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({ launch: 'l-1', sessionToken: '[redacted]' });
});

test('a circular or deep value does not stop the line', () => {
  const { log, lines } = recordingLogger();
  const loop: Record<string, unknown> = {};
  loop['self'] = loop;
  log.warn(loop, 'loop');
  expect(lines).toHaveLength(1);
});

test('a long text is cut before anything is looked for in it', () => {
  const { log, lines } = recordingLogger();
  const begun = cpuMs();
  // Each `eyJ` could be the start of a token that never ends.
  log.info({ name: `Bearer ${jwt} ${'-eyJAAAAA'.repeat(20_000)}` }, '-eyJAAAAA'.repeat(20_000));
  expect(cpuMs() - begun).toBeLessThan(3_000);
  expect(lines.join('').length).toBeLessThan(20_000);
  expect(lines.join('')).not.toContain(jwt);
});
