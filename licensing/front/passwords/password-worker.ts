/**
 * Runs scrypt (RFC 7914) beside the event loop that serves calls. It is a bundle of its own, next to front's: the pool
 * starts it by file name.
 */
import { parentPort } from 'node:worker_threads';
import * as scryptKdf from 'scrypt-kdf';
import type { PasswordAnswer, PasswordJob } from './password-job.ts';

/** The package exports its functions on a default object, and its declarations say they are exports. */
const loaded: object = scryptKdf;
const { kdf, verify } = ('default' in loaded ? loaded.default : loaded) as typeof scryptKdf;

async function answer(job: PasswordJob): Promise<PasswordAnswer> {
  try {
    if (job.kind === 'hash')
      return { id: job.id, kind: 'hash', key: await kdf(job.password, { logN: job.logN }) };
    return { id: job.id, kind: 'verify', matches: await verify(job.key, job.password) };
  } catch (error) {
    return { id: job.id, kind: 'error', message: error instanceof Error ? error.message : String(error) };
  } finally {
    job.password.fill(0);
  }
}

parentPort?.on('message', (job: PasswordJob) => {
  void answer(job).then((result) => parentPort?.postMessage(result));
});
