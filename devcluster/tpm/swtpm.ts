import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Warden } from '../node/warden.ts';
import { TpmAuthority } from './tpm-authority.ts';

/** sun_path of a Unix socket holds 108 bytes, the last of them zero (unix(7)). */
const MAX_SOCKET_PATH = 107;
const START_MS = 10_000;

export interface EmulatedTpm {
  /** Unix socket that speaks the TPM's own command bytes; one client at a time. */
  readonly socket: string;
  /** Ends it as a fault would, on the spot; what it holds stays. */
  stop(): Promise<void>;
  /** Starts it again, as after a reset of the machine. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Makes a cluster's emulated TPMs, runs them, and leaves none behind. */
export class TpmFactory {
  readonly #authority: TpmAuthority;
  readonly #warden: Warden;

  constructor(directory: string, warden: Warden) {
    this.#authority = new TpmAuthority(directory);
    this.#warden = warden;
  }

  /** As `TpmAuthority.exportRoots`. */
  exportRoots(into: string): void {
    this.#authority.exportRoots(into);
  }

  /** Manufactures a TPM in `directory` (once) and starts it on the socket. @throws Error that says what is missing. */
  async start(directory: string, socket: string): Promise<EmulatedTpm> {
    if (Buffer.byteLength(socket) > MAX_SOCKET_PATH)
      throw new Error(
        `${socket} is longer than a Unix socket's path may be (107 bytes): choose a shorter --dir`,
      );
    const made = existsSync(join(directory, 'tpm2-00.permall'));
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (!made)
      await this.#authority.manufacture(directory, (argv, environment) => this.#setUp(argv, environment));
    let running = await this.#run(directory, socket);
    return {
      socket,
      stop: () => running('SIGKILL'),
      restart: async () => {
        await running('SIGKILL');
        running = await this.#run(directory, socket);
      },
      close: () => running('SIGTERM'),
    };
  }

  async #setUp(argv: readonly string[], environment: Readonly<Record<string, string>>): Promise<void> {
    const [program = '', ...args] = argv;
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    const { pid } = child;
    if (pid === undefined) {
      await once(child, 'error').catch(() => undefined);
      throw missing('swtpm_setup', 'swtpm-tools');
    }
    this.#warden.record(pid);
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        said = `${said}${chunk}`.slice(-4000);
      });
    const [code] = await once(child, 'close');
    this.#warden.strike(pid);
    if (code !== 0) throw new Error(`swtpm_setup failed: ${lastLines(said)}`);
  }

  /** Starts swtpm; the result ends it by a signal. */
  async #run(state: string, socket: string): Promise<(signal: NodeJS.Signals) => Promise<void>> {
    rmSync(socket, { force: true });
    rmSync(`${socket}.ctrl`, { force: true });
    const child = spawn(
      'swtpm',
      [
        ...['socket', '--tpm2', '--tpmstate', `dir=${state}`, '--flags', 'not-need-init,startup-clear'],
        ...['--server', `type=unixio,path=${socket},mode=0600`],
        ...['--ctrl', `type=unixio,path=${socket}.ctrl,mode=0600`],
      ],
      { detached: true, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let trouble = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      trouble = `${trouble}${chunk}`.slice(-2000);
    });
    const { pid } = child;
    if (pid === undefined) {
      await new Promise((resolve) => child.once('error', resolve));
      throw missing('swtpm', 'swtpm');
    }
    this.#warden.record(pid);
    const exited = new Promise<void>((resolve) =>
      child.once('exit', () => {
        this.#warden.strike(pid);
        resolve();
      }),
    );
    await untilListening(child, socket, () => trouble);
    return async (signal) => {
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), 2000);
      await exited;
      clearTimeout(timer);
    };
  }
}

async function untilListening(child: ChildProcess, socket: string, trouble: () => string): Promise<void> {
  const deadline = performance.now() + START_MS;
  // No trial connection: swtpm serves one client at a time, and this one would be it.
  while (!isListening(socket)) {
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline)
      throw new Error(`swtpm did not start: ${lastLines(trouble())}`);
    await sleep(20);
  }
}

/** A socket's file is there before anybody listens: `__SO_ACCEPTCON` among its flags in /proc/net/unix says that somebody does. */
function isListening(socket: string): boolean {
  return readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .some((line) => line.endsWith(` ${socket}`) && line.split(/ +/)[3] === '00010000');
}

function missing(program: string, debianPackage: string): Error {
  return new Error(
    `${program} is not installed: the development cluster needs the Debian package ${debianPackage}`,
  );
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-5).join(' | ');
}
