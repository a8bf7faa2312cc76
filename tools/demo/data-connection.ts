/** A data connection as any program would make it, to see from outside what the sidecar lets through. */
import { connect } from 'node:tls';

export interface Answer {
  /** Bytes that came back; empty when the connection was closed without an answer. */
  readonly text: string;
  readonly error?: string;
}

/** One HTTP/1.1 request over TLS; the peer's certificate is not judged here, only what comes back. */
export function request(
  endpoint: string,
  options: { serverName: string; cert?: string; key?: string; alpn?: string; path?: string },
): Promise<Answer> {
  const [host, port] = endpoint.split(':');
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({
      host: host ?? '',
      port: Number(port),
      servername: options.serverName,
      ALPNProtocols: [options.alpn ?? 'http/1.1'],
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      ...(options.cert === undefined ? {} : { cert: options.cert, key: options.key ?? '' }),
    });
    socket.setTimeout(5_000, () => socket.destroy(new Error('no answer within 5 s')));
    socket.on('secureConnect', () =>
      socket.write(
        `GET ${options.path ?? '/'} HTTP/1.1\r\nhost: ${options.serverName}\r\naccept: application/json\r\nconnection: close\r\n\r\n`,
      ),
    );
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    let error: string | undefined;
    socket.on('error', (cause) => {
      error = cause.message;
    });
    socket.on('close', () => resolve(error === undefined ? { text } : { text, error }));
  });
}
