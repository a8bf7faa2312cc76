import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Names that a room's code gives to metrics, without the component's prefix. */
export function metricsOf(room: string): string[] {
  return readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => [
      ...readFileSync(join(root, room, path), 'utf8').matchAll(/\.(?:counter|gauge|histogram)\(\s*'(\w+)'/g),
    ])
    .map(([, name = '']) => name);
}
