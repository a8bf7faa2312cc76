import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A software TPM of one's own, with an RSA endorsement key certificate in its NV memory. */
export interface Swtpm {
  /** For `openTransport`: `swtpm:/tmp/.../tpm.sock`. */
  readonly address: string;
  readonly socket: string;
  /** State and socket; `swtpm_localca`'s files are beside it in `ca`. */
  readonly folder: string;
  /** DER of the CA certificates that signed the endorsement key certificate. */
  readonly caFolder: string;
  /** Ends the process, as a crash does: state stays. */
  stop(): Promise<void>;
  /** Starts it again with the same state, as a reboot does. */
  start(): Promise<void>;
  /** Ends it and removes everything. */
  remove(): Promise<void>;
}

/**
 * Makes and starts a TPM with `swtpm_setup` and `swtpm` (Debian packages swtpm, swtpm-tools). Everything is in one
 * folder under the temporary folder: state, socket, certificate authority.
 */
export async function startSwtpm(): Promise<Swtpm> {
  const folder = await mkdtemp(join(tmpdir(), 'swtpm-'));
  const caFolder = join(folder, 'ca');
  await prepare(folder, caFolder);
  const socket = join(folder, 'tpm.sock');
  let process: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    if (process === undefined || process.exitCode !== null || process.signalCode !== null) return;
    const ended = once(process, 'exit');
    process.kill('SIGKILL');
    await ended;
  };
  const start = async (): Promise<void> => {
    process = spawn(
      'swtpm',
      [
        'socket',
        '--tpm2',
        ...['--tpmstate', `dir=${folder}`],
        ...['--server', `type=unixio,path=${socket}`],
        ...['--ctrl', `type=unixio,path=${socket}.ctrl`],
        ...['--flags', 'not-need-init,startup-clear'],
      ],
      { stdio: 'ignore' },
    );
    await once(process, 'spawn');
    await listening(socket, process);
  };
  await start();
  return {
    address: `swtpm:${socket}`,
    socket,
    folder,
    caFolder,
    stop,
    start,
    remove: async () => {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function prepare(folder: string, caFolder: string): Promise<void> {
  const { mkdir, writeFile } = await import('node:fs/promises');
  await mkdir(caFolder);
  const localca = join(folder, 'localca.conf');
  const options = join(folder, 'localca.options');
  const setup = join(folder, 'setup.conf');
  await writeFile(
    localca,
    [
      `statedir = ${caFolder}`,
      `signingkey = ${caFolder}/signkey.pem`,
      `issuercert = ${caFolder}/issuercert.pem`,
      `certserial = ${caFolder}/certserial`,
      '',
    ].join('\n'),
  );
  await writeFile(options, '--platform-manufacturer Test\n--platform-version 1\n--platform-model Test\n');
  await writeFile(
    setup,
    [
      'create_certs_tool = /usr/bin/swtpm_localca',
      `create_certs_tool_config = ${localca}`,
      `create_certs_tool_options = ${options}`,
      '',
    ].join('\n'),
  );
  try {
    await run('swtpm_setup', [
      '--tpm2',
      ...['--tpmstate', folder],
      ...['--config', setup],
      ...['--pcr-banks', 'sha256,sha384'],
      '--create-ek-cert',
      '--create-platform-cert',
      '--lock-nvram',
    ]);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw new Error(`swtpm_setup failed (Debian packages swtpm and swtpm-tools): ${error}`, { cause: error });
  }
}

/** Waits until the process accepts connections; a connection that is tried takes swtpm's only place for a moment. */
async function listening(socket: string, process: ChildProcess): Promise<void> {
  for (;;) {
    if (process.exitCode !== null) throw new Error(`swtpm ended with ${process.exitCode}`);
    const there = await stat(socket).then(
      () => true,
      () => false,
    );
    if (there && (await accepts(socket))) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function accepts(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const attempt = connect({ path: socket });
    attempt.on('connect', () => attempt.end(() => resolve(true)));
    attempt.on('error', () => resolve(false));
  });
}
