import { createSpinner, type Spinner } from 'nanospinner';
import type { Notice } from '../../library/trust/notice.ts';
import type { Ending } from '../exit-code.ts';
import { printable, printableJson } from './printable.ts';
import { type Line, styled } from './styled.ts';

/** Where something is written: `columns` and `isTTY` as a terminal has them. */
export type Stream = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

/** Where a command writes; a test's buffers, or the process's streams. */
export interface Streams {
  readonly out: Stream;
  readonly err: Stream;
}

/** Characters in a line where no terminal says. */
const WIDTH = 100;

/**
 * Says things: with `--json` exactly one JSON document on standard output, good or bad; otherwise lines for a person. Progress turns on a terminal and is plain lines
 * elsewhere. Whatever it says goes through `printable`: much of it comes from a server. Colours are for terminals only.
 */
export class Output {
  readonly json: boolean;
  readonly isTerminal: boolean;
  /** Characters in a line: the terminal's. */
  readonly width: number;
  readonly #colour: boolean;
  readonly #streams: Streams;
  #spinner: Spinner | undefined;
  #answered = false;
  readonly #notices: Notice[] = [];

  /** @param colour whether a terminal may be given colours */
  constructor(streams: Streams, json: boolean, colour = true) {
    this.#streams = streams;
    this.json = json;
    this.#colour = colour;
    const { isTTY, columns } = streams.out;
    this.isTerminal = isTTY === true;
    this.width = isTTY === true && columns !== undefined && columns > 0 ? columns : WIDTH;
  }

  /** The command's answer. */
  result(object: object, lines: readonly Line[]): void {
    this.#stopSpinner();
    this.#answered = true;
    if (this.json) this.#streams.out.write(`${printableJson(this.#withNotices(object))}\n`);
    else for (const line of lines) this.#write(this.#streams.out, line);
  }

  /** Standard output is another's from now on: what there is to say, failures too, goes to standard error. */
  giveUpOutput(): void {
    this.#stopSpinner();
    if (this.json && !this.#answered) for (const each of this.#notices) this.#tell(each);
    this.#answered = true;
  }

  /** For a person only. */
  line(line: Line): void {
    if (this.json) return;
    this.#stopSpinner();
    this.#write(this.#streams.out, line);
  }

  /** A remark that is no part of the answer. */
  note(line: Line): void {
    this.#stopSpinner();
    this.#write(this.#streams.err, line);
  }

  /** What a user should know although nothing is refused: said once; with `--json` a member of the answer, as long as there is none yet. */
  notice(notice: Notice): void {
    if (this.#notices.some((said) => sameNotice(said, notice))) return;
    this.#notices.push(notice);
    if (!this.json || this.#answered) this.#tell(notice);
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
    if (this.json && !this.#answered) {
      const answer = this.#withNotices({ ok: false, code, message, remedy });
      this.#streams.out.write(`${printableJson(answer)}\n`);
    } else
      this.#streams.err.write(
        `enclavectl: ${printable(message)} (${printable(code)})\n${remedy === '' ? '' : `  ${printable(remedy)}\n`}`,
      );
  }

  #tell({ message, code }: Notice): void {
    this.note(`notice: ${message} (${code})`);
  }

  #write(stream: Stream, line: Line): void {
    stream.write(`${styled(line, this.#colour && stream.isTTY === true).trimEnd()}\n`);
  }

  #withNotices(object: object): object {
    return this.#notices.length === 0 ? object : { ...object, notices: this.#notices };
  }

  #stopSpinner(): void {
    this.#spinner?.success();
    this.#spinner = undefined;
  }
}

/** A document grows old by the minute: once is enough. Nodes are told one by one. */
function sameNotice(a: Notice, b: Notice): boolean {
  return a.code === b.code && (a.message === b.message || a.code === 'trust-document-old');
}
