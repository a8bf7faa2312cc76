import {
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { encodePem } from '../../formats/x509/pem.ts';
import { chainPem, privateKeyPem } from '../../platform/identity/credential.ts';
import { until } from '../support/until.ts';
import { untilStill } from '../support/until-still.ts';
import { dialHttp2, httpEnclave, httpSidecar, tokenIssuer } from './http-fixture.ts';
import { tokenFile, undo, undoAll } from './sidecar-fixture.ts';
import { authorities, owner, SERVER_NAME, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

const same = (bytes: Buffer): Buffer => bytes;
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});
const ECHO = {
  unary: method('unary', false, false),
  collect: method('collect', true, false),
  flood: method('flood', false, true),
  chat: method('chat', true, true),
};

/** A gRPC app without TLS, as it stands behind a sidecar; `error` in a request is a status, `wait` is never answered. */
async function grpcApp(upstream = '127.0.0.1:0') {
  const state = { cancelled: 0, sent: 0, calls: [] as Metadata[] };
  const server = new Server({ 'grpc.max_receive_message_length': -1 });
  server.addService(ECHO, {
    unary: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
      state.calls.push(call.metadata);
      call.on('cancelled', () => {
        state.cancelled += 1;
      });
      const trailer = new Metadata();
      trailer.set('x-sum-bin', Buffer.from([0, 255]));
      const text = String(call.request);
      if (text === 'error') callback({ code: status.NOT_FOUND, details: 'nö', metadata: trailer });
      else if (text !== 'wait') callback(null, call.request, trailer);
    },
    collect: (call: ServerReadableStream<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
      let bytes = 0;
      call.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      call.on('end', () => callback(null, Buffer.from(String(bytes))));
    },
    flood: (call: ServerWritableStream<Buffer, Buffer>) => {
      call.on('cancelled', () => {
        state.cancelled += 1;
      });
      const block = Buffer.alloc(65_536);
      const more = (): void => {
        while (state.sent < 256_000_000 && !call.cancelled) {
          state.sent += block.length;
          if (!call.write(block)) return void call.once('drain', more);
        }
      };
      more();
    },
    chat: (call: ServerDuplexStream<Buffer, Buffer>) => {
      call.on('data', (chunk: Buffer) => call.write(chunk));
      call.on('end', () => call.end());
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(upstream, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  undo.push(() => server.forceShutdown());
  return { state, server, port };
}

function grpcClient(bind: string, credential = userCredential(owner)) {
  const client = new Client(
    `${bind}:8443`,
    credentials.createSsl(
      Buffer.from(encodePem('CERTIFICATE', authorities.enclaves.root)),
      Buffer.from(privateKeyPem(credential.privateKey)),
      Buffer.from(chainPem(credential)),
    ),
    {
      'grpc.ssl_target_name_override': SERVER_NAME,
      'grpc.default_authority': SERVER_NAME,
      'grpc.max_receive_message_length': -1,
    },
  );
  undo.push(() => client.close());
  const unary = (text: string | Buffer, metadata = new Metadata(), deadline?: number) =>
    new Promise<{ error: ServiceError | null; value: string; trailer: Metadata | undefined }>((resolve) => {
      let answer = { error: null as ServiceError | null, value: '' };
      const call = client.makeUnaryRequest<Buffer, Buffer>(
        ECHO.unary.path,
        same,
        same,
        Buffer.from(text),
        metadata,
        deadline === undefined ? {} : { deadline: Date.now() + deadline },
        (error, value) => {
          answer = { error, value: String(value) };
        },
      );
      call.on('status', ({ metadata: trailer }) => setImmediate(() => resolve({ ...answer, trailer })));
    });
  const chat = (): ClientDuplexStream<Buffer, Buffer> =>
    client.makeBidiStreamRequest(ECHO.chat.path, same, same);
  return { client, unary, chat };
}

test('grpc: unary calls, metadata, trailers and statuses; who calls is ours to say', async () => {
  const app = await grpcApp();
  const { bind } = await httpSidecar(String(app.port));
  const { unary } = grpcClient(bind);
  const metadata = new Metadata();
  metadata.set('x-kept', 'yes');
  metadata.set('x-enclave-user', 'root');
  metadata.set('x-forwarded-client-cert', 'Subject="root"');
  const good = await unary('hello', metadata, 30_000);
  expect(good).toMatchObject({ error: null, value: 'hello' });
  expect(good.trailer?.get('x-sum-bin')).toEqual([Buffer.from([0, 255])]);
  const [seen] = app.state.calls;
  expect(seen?.get('x-kept')).toEqual(['yes']);
  expect(seen?.get('x-enclave-user')).toEqual(['alice']);
  expect(String(seen?.get('x-forwarded-client-cert'))).not.toContain('root');
  const bad = await unary('error');
  expect(bad.error).toMatchObject({ code: status.NOT_FOUND, details: 'nö' });
  expect(bad.trailer?.get('x-sum-bin')).toEqual([Buffer.from([0, 255])]);
});

test('grpc: an app behind a Unix socket, and many calls at once', async () => {
  const path = `${tokenFile()}.sock`;
  await grpcApp(`unix:${path}`);
  const { bind } = await httpSidecar(`unix:${path}`);
  const { unary } = grpcClient(bind);
  const answers = await Promise.all(Array.from({ length: 250 }, (_, i) => unary(`n${i}`)));
  expect(answers.map(({ value }) => value)).toEqual(Array.from({ length: 250 }, (_, i) => `n${i}`));
});

test('grpc: streams both ways, each message as it comes', async () => {
  const app = await grpcApp();
  const { bind } = await httpSidecar(String(app.port));
  const { client, chat } = grpcClient(bind);
  const call = chat();
  const got: string[] = [];
  call.on('data', (chunk: Buffer) => got.push(String(chunk)));
  for (const word of ['a', 'b', 'c']) {
    call.write(Buffer.from(word));
    await until(`the answer to ${word}`, () => got.at(-1) === word);
  }
  const ended = new Promise((resolve) => call.once('status', resolve));
  call.end();
  expect(await ended).toMatchObject({ code: status.OK });
  // One message of 20 MB, and many: more than any window or buffer on the way.
  const total = await new Promise((resolve, reject) => {
    const upload = client.makeClientStreamRequest<Buffer, Buffer>(
      ECHO.collect.path,
      same,
      same,
      (error, value) => (error === null ? resolve(String(value)) : reject(error)),
    );
    upload.write(Buffer.alloc(20_000_000));
    for (let i = 0; i < 100; i += 1) upload.write(Buffer.alloc(100_000));
    upload.end();
  });
  expect(total).toBe('30000000');
});

test('grpc: a client that does not read holds the app up; one that cancels ends its call there', async () => {
  const { state, port } = await grpcApp();
  const { bind } = await httpSidecar(String(port));
  const session = await dialHttp2(bind, userCredential(owner));
  const call = session.request({
    ':method': 'POST',
    ':path': ECHO.flood.path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  call.on('error', () => {});
  call.end(Buffer.alloc(5));
  expect(await untilStill('what the app sends', () => state.sent)).toBeLessThan(32_000_000);
  call.close(8);
  await until('the app hears that the call was cancelled', () => state.cancelled === 1);
});

test('grpc: an app that says it is going (GOAWAY) ends what runs there, and gets new calls on another connection', async () => {
  const { server, port } = await grpcApp();
  const { bind } = await httpSidecar(String(port));
  const { unary, chat } = grpcClient(bind);
  const lasting = chat();
  const said: string[] = [];
  lasting.on('data', (each: Buffer) => void said.push(String(each)));
  lasting.on('error', () => {});
  lasting.write(Buffer.from('before'));
  await until('the stream is open', () => said.length === 1);
  server.drain(`127.0.0.1:${port}`, 60_000);
  for (let i = 0; i < 3; i += 1)
    expect(await unary(`call ${i}`)).toMatchObject({ error: null, value: `call ${i}` });
  lasting.write(Buffer.from('after'));
  await until('the stream goes on', () => said.length === 2);
  lasting.end();
});

test('grpc: deadlines travel, and end the call on both sides', async () => {
  const { state, port } = await grpcApp();
  const { bind } = await httpSidecar(String(port));
  const { unary } = grpcClient(bind);
  // Longer and longer, for a call whose deadline is over on its way never reaches the app.
  for (let deadline = 100; state.calls.length === 0; deadline *= 2)
    expect((await unary('wait', new Metadata(), deadline)).error?.code).toBe(status.DEADLINE_EXCEEDED);
  await until('the app hears of it', () => state.cancelled === state.calls.length);
});

test('grpc: what is wrong is a status: the app away, going in the middle, a resetting one', async () => {
  const app = await grpcApp();
  const { bind } = await httpSidecar(String(app.port));
  const { unary, chat } = grpcClient(bind);
  const call = chat();
  const failed = new Promise((resolve) => call.once('error', resolve));
  call.on('data', () => {});
  call.write(Buffer.from('a'));
  await new Promise((resolve) => call.once('data', resolve));
  app.server.forceShutdown();
  // grpc-js resets its streams with CANCEL when it is shut down: the client hears just that.
  expect(await failed).toMatchObject({ code: status.CANCELLED });
  expect((await unary('x')).error).toMatchObject({
    code: status.UNAVAILABLE,
    details: expect.stringContaining('upstream: the app does not answer'),
  });
});

test('grpc: an app that speaks HTTP/1.1 alone is no gRPC app, and says so; its other requests go on', async () => {
  const { bind } = await httpEnclave();
  expect((await grpcClient(bind).unary('x')).error).toMatchObject({
    code: status.UNAVAILABLE,
    details: expect.stringContaining('HTTP/2'),
  });
});

test('grpc: a token that is missing or bad is UNAUTHENTICATED', async () => {
  const app = await grpcApp();
  const { bind } = await httpSidecar(String(app.port), { auth: 'jwt', ownerKey: undefined });
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${await (await tokenIssuer()).token()}`);
  const { error } = await grpcClient(bind).unary('x', metadata);
  expect(error).toMatchObject({ code: status.UNAUTHENTICATED, details: expect.stringContaining('token') });
  expect(app.state.calls).toEqual([]);
});
