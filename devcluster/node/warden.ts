import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Waits for the end of its input, then kills every process group that is still on record. */
const SCRIPT = 'read -r _; cd "$1" && for g in [0-9]*; do kill -s KILL -- "-$g"; rm -f "$g"; done';

/**
 * Leaves no child behind: a shell that holds one end of a pipe and sees it close however this process ends, `kill -9`
 * included (Node has no PR_SET_PDEATHSIG). Groups are recorded as files when they start and struck off when they end.
 */
export class Warden {
  readonly #directory: string;
  readonly #shell: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(directory: string) {
    this.#directory = directory;
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    this.#shell = spawn('/bin/sh', ['-c', SCRIPT, 'warden', directory], {
      detached: true,
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#shell.on('error', (error) => {
      throw new Error(`cannot start the warden: ${error.message}`);
    });
    this.#ended = new Promise((resolve) => this.#shell.once('close', () => resolve()));
  }

  record(group: number): void {
    writeFileSync(join(this.#directory, String(group)), '');
  }

  strike(group: number): void {
    rmSync(join(this.#directory, String(group)), { force: true });
  }

  /** Kills what is still on record and ends. */
  async close(): Promise<void> {
    this.#shell.stdin?.end();
    await this.#ended;
  }
}
