/** A few lines of each component's /metrics, to show that they are there. */
import { get } from 'node:http';
import { PORTS } from '../../names/wire.ts';

/** The body of `http://<address>:9464<path>`; an error names the address. */
export function scrape(address: string, path = '/metrics'): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: address, port: PORTS.health, path, timeout: 5_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        response.statusCode === 200
          ? resolve(text)
          : reject(new Error(`${address}${path}: ${response.statusCode}`)),
      );
    });
    request.on('timeout', () => request.destroy(new Error(`${address}${path}: no answer`)));
    request.on('error', reject);
  });
}

/** The first `count` samples of the component that are not zero. */
export function interesting(text: string, prefix: string, count: number): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith(prefix) && !line.includes('_bucket') && !/ 0$/.test(line))
    .slice(0, count);
}
