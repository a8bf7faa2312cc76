import { explain } from '../platform/run/explain.ts';

/** What keeps going wrong, for people: a line on standard error when it is new, and the last of it for an error message. */
export class Trouble {
  last = '';
  readonly #write: (line: string) => void;

  constructor(write: (line: string) => void = (line) => void process.stderr.write(`devcluster: ${line}\n`)) {
    this.#write = write;
  }

  /** A callback for whoever has trouble. */
  of(who: string): (error: unknown) => void {
    return (error) => {
      const line = `${who}: ${explain(error)}`;
      if (line !== this.last) this.#write(line);
      this.last = line;
    };
  }
}
