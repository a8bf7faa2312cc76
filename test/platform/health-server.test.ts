import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createHealth } from '../../platform/health/health.ts';
import { serveHealth } from '../../platform/health/health-server.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';

test('connections that strangers hold do not make a probe fail', async () => {
  const server = await serveHealth('127.0.0.1', 0, createHealth(), recordingMetrics());
  const held: Socket[] = [];
  for (let index = 0; index < 100; index += 1) {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    held.push(socket);
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  }
  expect((await fetch(`http://127.0.0.1:${server.port}/livez`)).status).toBe(200);
  for (const socket of held) socket.destroy();
  await server.close();
});
