import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createRpcClient } from '../../platform/rpc/rpc-client.ts';
import { EnrolmentServiceService } from '../../proto/gen/enclave_licensing/enrolment/v1/enrolment_service.ts';
import type { LaunchResponse } from '../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { LicensingServiceService } from '../../proto/gen/enclave_licensing/licensing/v1/licensing_service.ts';
import { serveRpc as serve, undo, undoAll } from '../support/rpc-fixture.ts';

afterEach(undoAll);

describe('streams', () => {
  test('come in order; leaving early ends the handler', async () => {
    const left = Promise.withResolvers<void>();
    const { client } = await serve({
      launch: async function* (_request, { signal }) {
        signal.addEventListener('abort', () => left.resolve(), { once: true });
        for (let i = 1; ; i += 1) yield progress(i);
      },
    });
    const phases: number[] = [];
    for await (const { event } of client().launch(launchRequest())) {
      if (event?.$case === 'progress') phases.push(event.value.phase);
      if (phases.length === 5) break;
    }
    expect(phases).toEqual([1, 2, 3, 4, 5]);
    await left.promise;
  });

  test('both ways at once', async () => {
    const { clientOptions } = await serve({});
    const client = createRpcClient(EnrolmentServiceService, clientOptions);
    undo.push(() => client.close());
    const questions = (async function* () {
      for (const text of ['one', 'two'])
        yield {
          step: {
            $case: 'hello' as const,
            value: {
              endorsementKeyPublic: Buffer.from(text),
              endorsementKeyCertificateChain: [],
              attestationKeyPublic: Buffer.alloc(0),
            },
          },
        };
    })();
    const answers = await collect(client.enrol(questions));
    expect(
      answers.map(({ step }) => (step?.$case === 'challenge' ? step.value.idObject.toString() : '')),
    ).toEqual(['one', 'two']);
  });

  test('a server that accepts and says nothing is left for who serves there afterwards', async () => {
    const { port, clientOptions } = await serve({
      signUp: async () => ({}),
      launch: async function* () {
        yield progress(1);
      },
    });
    const silent: Socket[] = [];
    let gone = false;
    // What stands between them leads to a process that stands still, then to one that runs.
    const between = createServer((socket) => {
      socket.on('error', () => undefined);
      if (!gone) {
        silent.push(socket);
        return;
      }
      const to = connect({ host: '127.0.0.1', port });
      to.on('error', () => socket.destroy());
      socket.on('close', () => to.destroy());
      socket.pipe(to).pipe(socket);
    });
    undo.push(() => between.close());
    await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
    const address = { host: '127.0.0.1', port: (between.address() as AddressInfo).port };
    const client = createRpcClient(LicensingServiceService, { ...clientOptions, address, connectMs: 300 });
    undo.push(() => client.close());
    undo.push(() => {
      for (const socket of silent) socket.destroy();
    });
    const user = { user: 'ada', password: 'x' };
    // Both wait for the connection that comes to nothing, and go over the next one: the server had not heard of them.
    const waiting = [client.signUp(user), collect(client.launch(launchRequest()))];
    await expect.poll(() => silent.length).toBeGreaterThan(0);
    gone = true;
    await Promise.all(waiting);
  });

  test('a drain ends streams and lets calls finish', async () => {
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const { client, server } = await serve({
      signUp: async () => {
        started.resolve();
        await release.promise;
        return {};
      },
      launch: async function* (_request, { signal }) {
        yield progress(1);
        await new Promise<void>((resolve) =>
          signal.addEventListener('abort', () => resolve(), { once: true }),
        );
      },
    });
    const calls = client();
    const stream = calls.launch(launchRequest())[Symbol.asyncIterator]();
    await stream.next();
    const call = calls.signUp({ user: 'a', password: 'b' });
    await started.promise;
    const closed = server.close(5000);
    // Cut short is not the same as come to its end.
    await expect(stream.next()).rejects.toMatchObject({ status: 'UNAVAILABLE', code: 'server-stopping' });
    release.resolve();
    await expect(call).resolves.toEqual({});
    await closed;
  });
});

function launchRequest() {
  return {
    profile: 'p',
    nonce: Buffer.alloc(16),
    certificateRequest: Buffer.alloc(0),
    launchId: Buffer.alloc(16),
  };
}

function progress(phase: number): LaunchResponse {
  return {
    event: {
      $case: 'progress',
      value: { enclave: 'e', phase: phase as 1, message: '', at: undefined },
    },
  };
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of source) found.push(each);
  return found;
}
