/** `make demo`: one launch on this machine, seen from outside. `--keep` stays up. */
import { runDemo } from './demo.ts';

process.exitCode = await runDemo({ keep: process.argv.includes('--keep') });
