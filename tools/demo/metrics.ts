/** A few lines of each component's /metrics, to show that they are there. */
import { get } from 'node:http';
import { COMPONENTS } from '../../names/components.ts';
import { metricPrefix } from '../../names/metrics.ts';
import { PORTS } from '../../names/wire.ts';
import type { Environment } from '../cluster/environment.ts';
import type { Narrator } from './narrator.ts';

/** The body of `http://<address>:9464<path>`; an error names the address. */
function scrape(address: string, path = '/metrics'): Promise<string> {
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

/** Two samples of each component. @throws Error when one has none */
export async function showMetrics(environment: Environment, say: Narrator): Promise<void> {
  const list = JSON.parse(
    await environment.kubectl(['get', 'pods', '-n', environment.releaseNamespace, '-o', 'json']),
  ) as { items: { metadata: { name: string }; status: { podIP: string } }[] };
  for (const component of COMPONENTS) {
    const pod = list.items.find(({ metadata }) => metadata.name.startsWith(`enclave-${component}`));
    const lines = interesting(await scrape(pod?.status.podIP ?? ''), metricPrefix(component), 2);
    if (lines.length === 0) throw new Error(`${component} has no metrics of its own`);
    for (const line of lines) say.note(line);
  }
}

/** The first `count` samples of the component that are not zero. */
function interesting(text: string, prefix: string, count: number): string[] {
  return text
    .split('\n')
    .filter(
      (line) => line.startsWith(prefix) && !/_bucket|_process_|_nodejs_/.test(line) && !/ 0$/.test(line),
    )
    .slice(0, count);
}
