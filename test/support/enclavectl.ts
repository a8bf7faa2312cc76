import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { runEnclavectl } from '../../client/command/run-enclavectl.ts';
import { rootsToJson } from '../../formats/evidence/roots.ts';
import { formatPolicy } from '../../verify/policy/format-policy.ts';
import { FIXTURE_POLICY } from './evidence.ts';
import { fixtureRoots } from './fixture-certificates.ts';

export interface Ran {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

export interface Person {
  readonly home: string;
  file(name: string, content: string): string;
  run(...argv: string[]): Promise<Ran>;
  /** The same with a hold on its input, output and Ctrl-C. */
  start(...argv: string[]): {
    ended: Promise<Ran>;
    stdin: PassThrough;
    out(): string;
    err(): string;
    interrupt(): void;
  };
  remove(): void;
}

/** Somebody with a home of their own, the operator's roots and a policy, who runs enclavectl in this process. */
export function person(server: string, more: Readonly<Record<string, string>> = {}): Person {
  const home = mkdtempSync(join(tmpdir(), 'enclavectl-'));
  const file = (name: string, content: string): string => {
    const path = join(home, name);
    writeFileSync(path, content);
    return path;
  };
  const environment = {
    ENCLAVECTL_SERVER: server,
    ENCLAVECTL_CA: file('operator-roots.json', rootsToJson(fixtureRoots())),
    ENCLAVECTL_POLICY: file('policy.json', JSON.stringify(formatPolicy(FIXTURE_POLICY))),
    ...more,
  };
  const start = (...argv: string[]) => {
    const [stdin, out, err] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const text = { out: '', err: '' };
    out.on('data', (chunk: Buffer) => {
      text.out += chunk.toString();
    });
    err.on('data', (chunk: Buffer) => {
      text.err += chunk.toString();
    });
    const abort = new AbortController();
    const ended = runEnclavectl({
      argv,
      environment,
      home,
      streams: { out, err },
      stdin: stdin as unknown as NodeJS.ReadStream,
      signal: abort.signal,
      now: () => Math.floor(Date.now() / 1000),
    }).then((exit) => ({ exit, ...text }));
    return { ended, stdin, out: () => text.out, err: () => text.err, interrupt: () => abort.abort() };
  };
  return {
    home,
    file,
    start,
    run: (...argv) => start(...argv).ended,
    remove: () => rmSync(home, { recursive: true, force: true }),
  };
}

/** Alice, with the roots pinned and a session. */
export async function aliceLoggedIn(server: string): Promise<Person> {
  const alice = person(server);
  await alice.run('init');
  await logIn(alice);
  return alice;
}

export function logIn(alice: Person, ...flags: string[]): Promise<Ran> {
  return alice.run('login', 'alice', '--password-file', alice.file('password', 'correct horse\n'), ...flags);
}

/** Codes of the notices in what a command with `--json` printed. */
export function noticesOf(ran: Ran): string[] {
  return ((JSON.parse(ran.out) as { notices?: { code: string }[] }).notices ?? []).map(({ code }) => code);
}
