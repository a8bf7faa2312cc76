import { randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { type Result, refuse, success } from '../../../formats/bytes/result.ts';
import type { PasswordAnswer, PasswordJob } from './password-job.ts';

export interface PasswordOptions {
  /** log2 of scrypt's cost N; memory is 1 KiB * N (r = 8). */
  readonly logN: number;
  /**
   * How many run at once. Each holds one thread of libuv's pool (4 unless UV_THREADPOOL_SIZE says otherwise), and checking a
   * token needs one too: leave some.
   */
  readonly concurrency: number;
  /** How many may wait; more are refused with `overloaded`. */
  readonly queue: number;
  /** Called once for each scrypt that begins. */
  onRun?(): void;
}

export interface Passwords {
  /** 96 bytes for the store: parameters, salt, tag. */
  hash(password: string): Promise<Result<Uint8Array, 'overloaded'>>;
  /** Exactly one scrypt, also when there is no such user (`key` undefined): then the answer is false. */
  verify(key: Uint8Array | undefined, password: string): Promise<Result<boolean, 'overloaded'>>;
  close(): Promise<void>;
}

type WithoutId<T> = T extends PasswordJob ? Omit<T, 'id'> : never;
interface Waiting {
  readonly job: PasswordJob;
  readonly resolve: (answer: PasswordAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** In the bundle the worker lies beside `main.js`; from source, beside this file. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './password-worker.ts' : './password-worker.js',
  import.meta.url,
);

/** The decoy key costs one scrypt at start; it has the parameters of every new user. */
export async function startPasswords(options: PasswordOptions): Promise<Passwords> {
  const pool = new ScryptPool(options);
  const decoy = await pool.run({
    kind: 'hash',
    password: Uint8Array.from(randomBytes(32)),
    logN: options.logN,
  });
  if (!decoy.ok || decoy.value.kind !== 'hash') throw new Error('scrypt does not run with these parameters');
  const decoyKey = decoy.value.key;
  return {
    async hash(password) {
      const done = await pool.run({ kind: 'hash', password: encode(password), logN: options.logN });
      if (!done.ok) return done;
      if (done.value.kind !== 'hash') throw new Error(unexpected(done.value));
      return success(done.value.key);
    },
    async verify(key, password) {
      const done = await pool.run({ kind: 'verify', password: encode(password), key: key ?? decoyKey });
      if (!done.ok) return done;
      if (done.value.kind !== 'verify') throw new Error(unexpected(done.value));
      return success(done.value.matches && key !== undefined);
    },
    close: () => pool.close(),
  };
}

/** Unicode normalization form C, so that one password typed on two keyboards is one password. */
function encode(password: string): Uint8Array {
  return new TextEncoder().encode(password.normalize('NFC'));
}

function unexpected(answer: PasswordAnswer): string {
  return `the scrypt worker failed: ${answer.kind === 'error' ? answer.message : answer.kind}`;
}

class ScryptPool {
  readonly #options: PasswordOptions;
  readonly #running = new Map<number, Waiting>();
  readonly #waiting: Waiting[] = [];
  #worker: Worker | undefined;
  #next = 0;

  constructor(options: PasswordOptions) {
    this.#options = options;
  }

  run(job: WithoutId<PasswordJob>): Promise<Result<PasswordAnswer, 'overloaded'>> {
    if (this.#waiting.length >= this.#options.queue)
      return Promise.resolve(
        refuse('overloaded', 'too many passwords are being checked', 'try again in a few seconds'),
      );
    this.#next += 1;
    const full = { ...job, id: this.#next };
    return new Promise<PasswordAnswer>((resolve, reject) => {
      this.#waiting.push({ job: full, resolve, reject });
      this.#fill();
    }).then(success);
  }

  #fill(): void {
    while (this.#running.size < this.#options.concurrency) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#running.set(next.job.id, next);
      this.#options.onRun?.();
      this.#start().postMessage(next.job);
    }
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(WORKER);
    worker.unref();
    worker.on('message', (answer: PasswordAnswer) => {
      const waiting = this.#running.get(answer.id);
      this.#running.delete(answer.id);
      waiting?.resolve(answer);
      this.#fill();
    });
    worker.on('error', (error) =>
      this.#lost(worker, error instanceof Error ? error : new Error(String(error))),
    );
    worker.on('exit', (code) => this.#lost(worker, new Error(`the scrypt worker ended with ${code}`)));
    this.#worker = worker;
    return worker;
  }

  /** What ran is lost; what waits gets a new worker. */
  #lost(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const running = [...this.#running.values()];
    this.#running.clear();
    for (const each of running) each.reject(error);
    this.#fill();
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    for (const each of this.#waiting.splice(0)) each.reject(new Error('shutting down'));
    await worker?.terminate();
  }
}
