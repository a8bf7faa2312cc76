/** The demo's people: each has a home of their own, so that nobody uses another's state, and runs the installed enclavectl. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type CommandResult, command } from '../cluster/command.ts';
import type { Narrator } from './narrator.ts';

export interface Person {
  readonly name: string;
  readonly home: string;
  readonly passwordFile: string;
  /** Runs enclavectl with this person's state and echoes it. */
  enclavectl(args: readonly string[], options?: PersonOptions): Promise<CommandResult>;
}

export interface PersonOptions {
  /** Neither echoed nor shown. */
  readonly quiet?: boolean;
  readonly onLine?: (line: string) => void;
  /** Standard input. */
  readonly input?: string;
}

export interface Settings {
  readonly ENCLAVECTL_SERVER: string;
  readonly ENCLAVECTL_CA: string;
  readonly ENCLAVECTL_POLICY: string;
}

const PROGRAM = resolve('dist/enclavectl.js');

export function person(
  name: string,
  directory: string,
  settings: Settings,
  narrator: Narrator,
  signal: AbortSignal,
): Person {
  const home = join(directory, 'people', name);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const passwordFile = join(home, 'password');
  writeFileSync(passwordFile, `${randomBytes(12).toString('base64url')}\n`, { mode: 0o600 });
  const shorten = (text: string): string => text.replaceAll(`${process.cwd()}/`, '');
  return {
    name,
    home,
    passwordFile,
    async enclavectl(args, options = {}) {
      if (!options.quiet) narrator.command(shorten(`enclavectl ${args.join(' ')}`));
      return await command(process.execPath, [PROGRAM, ...args], {
        env: { HOME: home, ...settings },
        signal,
        onLine: (line) => {
          options.onLine?.(line);
          if (!options.quiet) narrator.output(shorten(line));
        },
        timeoutMs: 120_000,
        ...(options.input === undefined ? {} : { input: options.input }),
      });
    },
  };
}
