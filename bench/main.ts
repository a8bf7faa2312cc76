/** `make bench`: figures, never verdicts; a timed test would fail on a busy machine. With a name only that part. */
import { benchEvidenceQueue } from './evidence-queue.ts';
import { benchLaunch } from './launch.ts';
import { benchProxy } from './proxy.ts';
import { benchSidecar } from './sidecar.ts';
import { benchVerify } from './verify.ts';
import { benchWebhook } from './webhook.ts';

/** What takes minutes by its nature: a million reviews. */
const long = process.argv.includes('--long');

const PARTS: ReadonlyMap<string, () => void | Promise<void>> = new Map([
  [
    'evidence',
    async () => {
      benchVerify();
      await benchEvidenceQueue();
    },
  ],
  ['webhook', () => benchWebhook(long)],
  ['sidecar', benchSidecar],
  ['proxy', benchProxy],
  ['launch', benchLaunch],
]);

const wanted = process.argv.slice(2).filter((argument) => argument !== '--long');
const unknown = wanted.filter((name) => !PARTS.has(name));
if (unknown.length > 0) {
  console.error(`no such part: ${unknown.join(', ')} (there are ${[...PARTS.keys()].join(', ')})`);
  process.exit(2);
}
for (const [name, part] of PARTS) if (wanted.length === 0 || wanted.includes(name)) await part();
