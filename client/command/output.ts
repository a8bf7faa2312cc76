import { createSpinner, type Spinner } from 'nanospinner';
import type { Ending } from './exit-code.ts';
import { printable, printableJson } from './printable.ts';

/** Where a command writes; a test's buffers, or the process's streams. */
export interface Streams {
  readonly out: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly err: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/**
 * Says things: with `--json` exactly one JSON document on standard output, good or bad; otherwise lines for a person. Progress turns on a terminal and is plain lines
 * elsewhere. Whatever it says goes through `printable`: much of it comes from a server.
 */
export class Output {
  readonly json: boolean;
  readonly #streams: Streams;
  #spinner: Spinner | undefined;
  #answered = false;

  constructor(streams: Streams, json: boolean) {
    this.#streams = streams;
    this.json = json;
  }

  /** The command's answer. */
  result(object: object, lines: readonly string[]): void {
    this.#stopSpinner();
    this.#answered = true;
    this.#streams.out.write(
      this.json ? `${printableJson(object)}\n` : lines.map((line) => `${printable(line)}\n`).join(''),
    );
  }

  /** For a person only. */
  line(text: string): void {
    if (this.json) return;
    this.#stopSpinner();
    this.#streams.out.write(`${printable(text)}\n`);
  }

  /** A remark that is no part of the answer. */
  note(text: string): void {
    this.#stopSpinner();
    this.#streams.err.write(`${printable(text)}\n`);
  }

  /** A step that has begun; the last one is done with that. */
  progress(text: string): void {
    if (this.json) return;
    if (this.#streams.out.isTTY !== true) {
      this.#streams.out.write(`${printable(text)}\n`);
      return;
    }
    this.#spinner?.success();
    this.#spinner = createSpinner(printable(text), {
      stream: this.#streams.out as NodeJS.WriteStream,
    }).start();
  }

  failure({ code, message, remedy }: Ending): void {
    this.#spinner?.error();
    this.#spinner = undefined;
    if (this.json && this.#answered) return;
    if (this.json) this.#streams.out.write(`${printableJson({ ok: false, code, message, remedy })}\n`);
    else
      this.#streams.err.write(
        `enclavectl: ${printable(message)} (${printable(code)})\n${remedy === '' ? '' : `  ${printable(remedy)}\n`}`,
      );
  }

  #stopSpinner(): void {
    this.#spinner?.success();
    this.#spinner = undefined;
  }
}
