import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { loopbackAddress } from '../support/loopback-block.ts';
import { until } from '../support/until.ts';
import { agentFixture, dial, echoApp, startSidecar, undo, undoAll } from './sidecar-fixture.ts';

afterEach(undoAll);

/** More than the handshakes that may be under way. */
const AGAIN = 200;

test('who resets a connection and comes from the same port at once takes no place for good', async () => {
  const app = await echoApp();
  const sidecar = startSidecar(await agentFixture(), { upstream: String(app.port) });
  await until('certified', () => sidecar.logged('certified and attested'));
  const localAddress = loopbackAddress();
  let localPort: number | undefined;
  let last: Socket | undefined;
  for (let count = 0; count < AGAIN; count += 1) {
    // Both are seen in one turn of the server's loop: the new connection, and only then the old one's end.
    last?.resetAndDestroy();
    last = connect({ host: sidecar.bind, port: 8443, localAddress, ...(localPort && { localPort }) });
    last.on('error', () => undefined);
    await once(last, 'connect');
    localPort = last.localPort;
  }
  const stays = last;
  undo.push(() => stays?.destroy());
  for (let count = 0; count < 5; count += 1)
    expect((await dial(sidecar.bind)).destroy().authorized).toBe(true);
});
