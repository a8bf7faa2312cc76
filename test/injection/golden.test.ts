import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decide } from '../../injection/decide.ts';
import type { Pod } from '../../injection/pod.ts';
import { CONFIG } from './support.ts';

const folder = new URL('../golden/injection/', import.meta.url);
const pods = readdirSync(folder).filter((name) => name.endsWith('.pod.json'));

/** Pod in, decision out. `vitest -u` writes the decisions anew; a person reads the difference. */
test.each(pods)('%s', async (name) => {
  const pod: Pod = JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
  const decision = JSON.stringify(decide(pod, 'shop', CONFIG), null, 2);
  await expect(`${decision}\n`).toMatchFileSnapshot(
    new URL(name.replace('.pod.json', '.decision.json'), folder).pathname,
  );
});
