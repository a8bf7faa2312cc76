import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DatabaseUrl } from '../../licensing/store/database-url.ts';
import { privateKeyPem } from '../../platform/identity/credential.ts';
import { createRpcClient, type RpcClient } from '../../platform/rpc/rpc-client.ts';
import type { CallOptions } from '../../platform/rpc/service.ts';
import { liveValue } from '../../platform/run/live.ts';
import { LicensingServiceService } from '../../proto/gen/enclave_licensing/licensing/v1/licensing_service.ts';
import type { FakeLauncher } from './fake-launcher.ts';
import { FRONT_NAME, type FrontLimits } from './front-under-test.ts';
import type { TestAuthority } from './test-authority.ts';

/** What a front in a process of its own is told; bytes in base64. */
export interface FrontProcessConfig {
  readonly url: DatabaseUrl;
  readonly launcherPort: number;
  readonly roots: readonly string[];
  readonly chain: readonly string[];
  /** PKCS#8 PEM. */
  readonly key: string;
  readonly limits: FrontLimits;
}

const PROGRAM = fileURLToPath(new URL('front-process.ts', import.meta.url));

/** A front that runs. */
export class FrontProcess {
  readonly #child: ChildProcess;
  readonly #port: number;
  readonly #healthPort: number;
  readonly #root: Uint8Array;
  readonly #clients: { close(): void }[] = [];
  readonly #lines: string[];

  constructor(
    child: ChildProcess,
    said: { port: number; healthPort: number },
    root: Uint8Array,
    lines: string[],
  ) {
    this.#child = child;
    this.#port = said.port;
    this.#healthPort = said.healthPort;
    this.#root = root;
    this.#lines = lines;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  client(): RpcClient<typeof LicensingServiceService> {
    const client = createRpcClient(LicensingServiceService, {
      address: { host: '127.0.0.1', port: this.#port },
      serverName: FRONT_NAME,
      roots: liveValue([this.#root]),
      maxResponseBytes: 1 << 20,
    });
    this.#clients.push(client);
    return client;
  }

  async token(user: string): Promise<CallOptions> {
    const client = this.client();
    await client.signUp({ user, password: `password of ${user}` });
    return { token: (await client.login({ user, password: `password of ${user}` })).token };
  }

  /** Status and text of /readyz. */
  async ready(): Promise<{ readonly ok: boolean; readonly text: string }> {
    const answer = await fetch(`http://127.0.0.1:${this.#healthPort}/readyz`);
    return { ok: answer.ok, text: await answer.text() };
  }

  /** Resolves when the process has ended, for those signals that end it. */
  async signal(name: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    this.#child.kill(name);
    if (
      name === 'SIGSTOP' ||
      name === 'SIGCONT' ||
      this.#child.exitCode !== null ||
      this.#child.signalCode !== null
    )
      return;
    await new Promise((resolve) => this.#child.once('exit', resolve));
  }

  async end(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.signal('SIGKILL');
  }
}

/** Starts fronts of one database and one launcher. */
export class FrontProcesses {
  readonly #folder = mkdtempSync(join(tmpdir(), 'fronts-'));
  readonly #running: FrontProcess[] = [];
  readonly #authority: TestAuthority;
  readonly #launcher: FakeLauncher;
  readonly #url: DatabaseUrl;

  constructor(authority: TestAuthority, launcher: FakeLauncher, url: DatabaseUrl) {
    this.#authority = authority;
    this.#launcher = launcher;
    this.#url = url;
  }

  async start(limits: FrontLimits = {}): Promise<FrontProcess> {
    const base64 = (each: Uint8Array): string => Buffer.from(each).toString('base64');
    const { chain, privateKey } = this.#authority.issue({ dns: [FRONT_NAME] });
    const config: FrontProcessConfig = {
      url: this.#url,
      launcherPort: this.#launcher.port,
      roots: [base64(this.#authority.root)],
      chain: chain.map(base64),
      key: privateKeyPem(privateKey),
      limits,
    };
    const file = join(this.#folder, `${this.#running.length}.json`);
    writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
    const child = spawn(process.execPath, [PROGRAM, file], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines: string[] = [];
    const said = await new Promise<{ port: number; healthPort: number }>((resolve, reject) => {
      let rest = '';
      child.once('exit', (code) => reject(new Error(`front ended with ${code}: ${lines.join('\n')}`)));
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        const parts = (rest + chunk).split('\n');
        rest = parts.pop() ?? '';
        for (const line of parts) {
          lines.push(line);
          if (line.startsWith('{"port":')) resolve(JSON.parse(line));
        }
      });
    });
    const front = new FrontProcess(child, said, this.#authority.root, lines);
    this.#running.push(front);
    return front;
  }

  async end(): Promise<void> {
    await Promise.all(this.#running.map((front) => front.end()));
    rmSync(this.#folder, { recursive: true });
  }
}
