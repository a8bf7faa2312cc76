/** What the sidecar's memory is measured against: a `tls` and an `http` listener, and nothing else. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:tls';

const [folder, host] = process.argv.slice(2);
const [key, cert] = ['key.pem', 'certificate.pem'].map((name) => readFileSync(`${folder}/${name}`));
createTlsServer({ key, cert }, (socket) => socket.pipe(socket)).listen(8443, host);
createServer((_, response) => response.end('ok')).listen(9464, host);
