import { type ChildProcess, spawn } from 'node:child_process';

/** Keeps the list that its input gives (`+ group`, `- group`); when the input ends, kills every process group on it. */
const SCRIPT = `
while read -r op group; do
  case $op in
    +) list="$list $group" ;;
    -) rest=; for each in $list; do [ "$each" = "$group" ] || rest="$rest $each"; done; list=$rest ;;
  esac
done
for group in $list; do kill -s KILL -- "-$group"; done
`;

/**
 * Leaves no child behind: a shell that holds one end of a pipe and sees it close however this process ends, `kill -9`
 * included (Node has no PR_SET_PDEATHSIG). One that began in the very instant of that end, between its start and `record`, stays.
 */
export class Warden {
  readonly #shell: ChildProcess;
  readonly #ended: Promise<void>;
  #closed = false;

  /** @param name shown in the list of processes */
  constructor(name: string) {
    this.#shell = spawn('/bin/sh', ['-c', SCRIPT, `warden of ${name}`], {
      detached: true,
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#shell.on('error', (error) => {
      throw new Error(`cannot start the warden: ${error.message}`);
    });
    this.#shell.stdin?.on('error', () => {
      // It was killed: what it would have done at our end is not done.
    });
    this.#ended = new Promise((resolve) => this.#shell.once('close', () => resolve()));
  }

  /** Puts a process group on the list, or ends it at once when the warden has closed. */
  record(group: number): void {
    if (this.#closed) process.kill(-group, 'SIGKILL');
    else this.#shell.stdin?.write(`+ ${group}\n`);
  }

  /** Takes a group that has ended off the list. */
  strike(group: number): void {
    if (!this.#closed) this.#shell.stdin?.write(`- ${group}\n`);
  }

  /** Kills what is still on the list and ends. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#shell.stdin?.end();
    await this.#ended;
  }
}
