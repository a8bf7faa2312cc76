import { afterEach, expect, test } from 'vitest';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { until } from '../support/until.ts';
import { agentFixture, dial, drainOf, echoApp, startSidecar, undoAll } from './sidecar-fixture.ts';
import { grantFor, signedTrust, trustDocument, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

test('who is revoked while it drains is cut off then, not at the end of the drain', async () => {
  const agent = await agentFixture();
  const app = await echoApp();
  const sidecar = startSidecar(agent, { upstream: String(app.port), shutdownTimeout: 12_000 });
  await until('readiness', () => sidecar.health.ready().ok);
  const friend = generateKey();
  const socket = await dial(sidecar.bind, userCredential(friend, { user: 'bob', ...grantFor(friend) }));
  const ended = drainOf(socket);
  socket.write('hello');
  await until('the app is dialled', () => app.dialled > 1);
  const stopped = sidecar.stop();
  // The app drains as well, and talks on.
  const talking = setInterval(() => socket.write('x'), 20);
  const revoked = { certificates: [], users: [{ user: 'bob' }], grants: [] };
  agent.publish(signedTrust(trustDocument(7, { revoked })));
  await ended.finally(() => clearInterval(talking));
  await stopped;
  expect(sidecar.logged('user-revoked')).toBe(true);
});
