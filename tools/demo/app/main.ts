/**
 * The demo's workload: a small HTTP app that knows nothing of enclaves. It listens on a Unix socket (or a TCP port) and
 * answers every request with who it is.
 */
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { VERSION } from '../../../names/version.ts';

const { values } = parseArgs({
  options: {
    socket: { type: 'string' },
    port: { type: 'string' },
    host: { type: 'string' },
    greeting: { type: 'string' },
    help: { type: 'boolean' },
    version: { type: 'boolean' },
  },
});
if (values.help) {
  console.log('Usage: demo-app (--socket PATH | --port NUMBER [--host ADDRESS]) [--greeting TEXT]');
  process.exit(0);
}
if (values.version) {
  console.log(`demo-app ${VERSION}`);
  process.exit(0);
}
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = JSON.stringify({
      app: 'demo-app',
      greeting: values.greeting ?? 'hello from inside the enclave',
      method: request.method,
      path: request.url,
      received: Buffer.concat(chunks).length,
    });
    response.writeHead(200, { 'content-type': 'application/json' }).end(`${body}\n`);
  });
});
if (values.socket !== undefined) {
  // A container that restarts finds its old socket in the volume.
  rmSync(values.socket, { force: true });
  server.listen(values.socket);
} else {
  server.listen(Number(values.port), values.host ?? '127.0.0.1');
}
server.on('listening', () =>
  console.log(JSON.stringify({ msg: 'listening', on: values.socket ?? values.port })),
);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
