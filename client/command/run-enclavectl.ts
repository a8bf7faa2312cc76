import { CommanderError } from 'commander';
import { xdgFolders } from '../state/folders.ts';
import { EXIT, endingOf } from './exit-code.ts';
import { createProgram } from './program.ts';
import { Settings } from './settings.ts';
import { Output, type Streams } from './terminal/output.ts';

export interface World {
  /** After the program's name. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly streams: Streams;
  readonly stdin: NodeJS.ReadStream;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
  /** Unix seconds. */
  now(): number;
}

/** Runs one command. Prints everything, throws nothing. @returns the exit code */
export async function runEnclavectl(world: World): Promise<number> {
  const { argv, environment, home, streams, stdin, signal, now } = world;
  // Known before the arguments are read, so that wrong ones are told in the form that was asked for.
  const colour = (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb';
  let output = new Output(streams, argv.includes('--json'), colour);
  const program = createProgram((flags) => {
    output = new Output(streams, flags.json === true, colour);
    const settings = new Settings(flags, environment, xdgFolders(environment, home));
    return { settings, output, signal, stdin, stdout: streams.out, home, now };
  });
  program.configureOutput({ writeOut: (text) => void streams.out.write(text) });
  try {
    if (argv.length === 0) {
      streams.out.write(program.helpInformation());
      return EXIT.usage;
    }
    await program.parseAsync([...argv], { from: 'user' });
    return signal.aborted ? EXIT.interrupted : EXIT.good;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.good;
    const ending = endingOf(error, signal.aborted);
    output.failure(ending);
    return ending.exit;
  }
}
