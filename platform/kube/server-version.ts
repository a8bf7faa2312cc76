import { type ApiServer, Transport } from './transport.ts';

/** What an API server says of itself. */
export interface ServerVersion {
  /** `v1.36.3`, as it writes it (`gitVersion`); empty when it says none. */
  readonly version: string;
  /** Its clock, Unix milliseconds, in whole seconds (RFC 9110, 6.6.1); undefined when it sends none. */
  readonly date: number | undefined;
  /** This machine's clock in the middle of the exchange, Unix milliseconds, and how long the exchange took. */
  readonly asked: number;
  readonly roundTripMs: number;
}

const MAX_ANSWER = 64 * 1024;

/** Asks for `/version`, which every authenticated user may read. @throws KubeError, or a connection's own error */
export async function readServerVersion(api: ApiServer, signal: AbortSignal): Promise<ServerVersion> {
  const transport = new Transport(api);
  try {
    // The first exchange opens the connection: the second one tells the time.
    await transport.send({ method: 'GET', path: '/version', signal, maxBytes: MAX_ANSWER });
    const before = performance.now();
    const response = await transport.open({ method: 'GET', path: '/version', signal });
    const roundTripMs = performance.now() - before;
    const asked = Date.now() - roundTripMs / 2;
    let text = '';
    for await (const chunk of response) text = (text + String(chunk)).slice(0, MAX_ANSWER);
    const answer: unknown = JSON.parse(text);
    const version = typeof answer === 'object' && answer !== null && 'gitVersion' in answer;
    const date = Date.parse(response.headers.date ?? '');
    return {
      version: version ? String((answer as { gitVersion: unknown }).gitVersion) : '',
      date: Number.isNaN(date) ? undefined : date,
      asked,
      roundTripMs,
    };
  } finally {
    transport.close();
  }
}
