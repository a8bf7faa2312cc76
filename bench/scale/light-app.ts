import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { aborted } from '../../platform/run/aborted.ts';
import type { LightProcess } from './light-runtime.ts';

/** The demo's app on its Unix socket: answers, and nothing more. */
export async function lightApp({ args, signal }: LightProcess): Promise<void> {
  const { socket = '' } = parseArgs({ args: [...args], options: { socket: { type: 'string' } } }).values;
  const server = createServer((_request, response) => void response.end('ok\n'));
  rmSync(socket, { force: true });
  server.listen(socket);
  await aborted(signal);
  server.close();
  server.closeAllConnections();
}
