import { createHash } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { answerOf, dialHttp2, httpEnclave } from './http-fixture.ts';
import { dial, httpOver, undoAll } from './sidecar-fixture.ts';
import { ENCLAVE, grantFor, keySha256, owner, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

/** Every spelling of a field that says who somebody is. */
const FORGED = [
  'X-Enclave-User',
  'x_enclave_user',
  'X-Enclave_User',
  'x.enclave.user',
  'X-ENCLAVE-ANYTHING',
  'X-Enclave-Token',
  'X-Forwarded-Client-Cert',
  'X_Forwarded_Client_Cert',
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'X-Forwarded-User',
  'Forwarded',
  'X-Real-IP',
  'X_Real_IP',
  'True-Client-Ip',
];

/** What the app saw, every value of every field. */
function seen(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), raw[i + 1] ?? '']] : [])) as [
    string,
    string,
  ][];
}

test('http/1.1: the identity is ours to say, whatever the client writes', async () => {
  const { app, bind } = await httpEnclave();
  const credential = userCredential(owner, { user: 'alice smith\u00e9' });
  const socket = await dial(bind, credential);
  const forged = [
    ...FORGED.map((name) => `${name}: root`),
    // Named here, ours would be taken for fields of this connection.
    'Connection: x-secret-hop, x-enclave-user, X-Enclave-Id, x-forwarded-client-cert',
    'X-Secret-Hop: 1',
    'Keep-Alive: timeout=1',
    'TE: trailers',
    'Proxy-Authorization: Basic cm9vdA==',
    'Authorization: Basic YXBw',
    'X-Kept: 1',
    'X_Kept: 2',
    'Transfer-Encoding: chunked',
    '',
  ].join('\r\n');
  const answered = httpOver(socket, '/p?q=1', forged, 'POST');
  socket.write(
    '5\r\nhello\r\n0\r\nX-Enclave-User: root\r\nx_enclave_user: root\r\nHost: h\r\nX-Sum: 5\r\n\r\n',
  );
  const answer = await answered;
  expect(answer).toMatchObject({ status: 201, body: expect.stringContaining('hello') });
  expect(answer.head).toContain('x-app: yes');
  expect(answer.head).not.toContain('timeout=77');
  const [request] = app.requests;
  expect(request).toMatchObject({ method: 'POST', url: '/p?q=1' });
  expect(request?.rawTrailers).toEqual(['x-sum', '5']);
  const hash = createHash('sha256')
    .update(credential.chain[0] ?? '')
    .digest('hex');
  const identity = [
    ['x-enclave-id', ENCLAVE],
    ['x-enclave-user', 'alice%20smith%C3%A9'],
    ['x-enclave-access', 'owner'],
    ['x-enclave-key-sha256', keySha256(owner)],
    [
      'x-forwarded-client-cert',
      expect.stringMatching(new RegExp(`^By=spiffe://[^;]+;Hash=${hash};Subject=".*"`)),
    ],
    ['x-forwarded-for', expect.stringMatching(/^127\./)],
    ['x-forwarded-proto', 'https'],
    ['x-enclave-request-id', expect.stringMatching(/^[0-9a-f]{12}-[0-9a-z]+$/)],
  ];
  expect(seen(request?.rawHeaders ?? [])).toEqual([
    ['host', 'enclave'],
    ['x-kept', '1'],
    ['x_kept', '2'],
    ['authorization', 'Basic YXBw'],
    ['transfer-encoding', 'chunked'],
    ...identity,
    ['connection', 'keep-alive'],
  ]);
});

test('http/2: the same, and no pseudo-header field becomes one', async () => {
  const { app, bind } = await httpEnclave();
  const session = await dialHttp2(bind, userCredential(owner));
  const forged = FORGED.flatMap((name) => [name.toLowerCase(), 'root']);
  const stream = session.request([
    ':method',
    'GET',
    ':path',
    '/',
    ':authority',
    'e',
    ...forged,
    'cookie',
    'a=1',
    'cookie',
    'b=2',
  ]);
  expect(await answerOf(stream)).toMatchObject({ status: 201 });
  const fields = seen(app.requests[0]?.rawHeaders ?? []);
  expect(fields.filter(([, value]) => value === 'root')).toEqual([]);
  expect(fields).toContainEqual(['x-enclave-user', 'alice']);
  expect(fields).toContainEqual(['cookie', 'a=1; b=2']);
  expect(fields).toContainEqual(['host', 'e']);
  expect(fields.filter(([name]) => name.startsWith(':'))).toEqual([]);
});

test('a granted key has its own user and hash', async () => {
  const { app, bind } = await httpEnclave();
  const friend = generateKey();
  const granted = userCredential(friend, { user: 'bob', ...grantFor(friend) });
  expect((await httpOver(await dial(bind, granted), '/')).status).toBe(201);
  expect(app.requests[0]?.headers).toMatchObject({
    'x-enclave-user': 'bob',
    'x-enclave-access': 'grant',
    'x-enclave-key-sha256': keySha256(friend),
  });
});

test('a subject cannot write elements of X-Forwarded-Client-Cert', async () => {
  const { app, bind } = await httpEnclave();
  const socket = await dial(bind, userCredential(owner, {}, { commonName: 'a";By=b,Hash="' }));
  expect((await httpOver(socket, '/')).status).toBe(201);
  expect(app.requests[0]?.headers['x-forwarded-client-cert']).toMatch(
    /;Subject="CN=a\\22\\3BBy\\3Db\\2CHash\\3D\\22"$/,
  );
});

test('nor can its other names', async () => {
  const { app, bind } = await httpEnclave();
  const subjectAltName = { uri: ['spiffe://x/a;By=b,Hash="c"'], dns: ['d,Hash=e'] };
  const socket = await dial(bind, userCredential(owner, {}, { extensions: { subjectAltName } }));
  expect((await httpOver(socket, '/')).status).toBe(201);
  expect(app.requests[0]?.headers['x-forwarded-client-cert']).toMatch(
    /;URI=spiffe:\/\/x\/a%3BBy%3Db%2CHash%3D%22c%22;DNS=d%2CHash%3De$/,
  );
});
