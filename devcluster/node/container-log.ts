import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { StringDecoder } from 'node:string_decoder';

export type Stream = 'stdout' | 'stderr';

/** A log begins anew beyond this size; the part before it is kept beside it. */
const MAX_BYTES = 16 * 1024 * 1024;
/** A line without an end is cut here, as container runtimes do. */
const MAX_LINE = 16 * 1024;

/** The log of one run of a container in the CRI's format: `<RFC 3339 time> <stream> F <line>`. */
export class ContainerLog {
  readonly #path: string;
  #file: number;
  #size = 0;
  readonly #partial = { stdout: '', stderr: '' };
  readonly #decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };
  readonly #listeners = new Set<() => void>();
  closed = false;

  constructor(path: string) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true });
    this.#file = openSync(path, 'w', 0o600);
  }

  write(stream: Stream, chunk: Buffer): void {
    const lines = `${this.#partial[stream]}${this.#decoders[stream].write(chunk)}`.split('\n');
    let rest = lines.pop() ?? '';
    while (rest.length > MAX_LINE) {
      lines.push(rest.slice(0, MAX_LINE));
      rest = rest.slice(MAX_LINE);
    }
    this.#partial[stream] = rest;
    if (lines.length > 0) this.#append(stream, lines);
  }

  /** Flushes lines without an end. */
  close(): void {
    if (this.closed) return;
    for (const stream of ['stdout', 'stderr'] as const)
      if (this.#partial[stream] !== '') this.#append(stream, [this.#partial[stream]]);
    this.closed = true;
    closeSync(this.#file);
    for (const listener of this.#listeners) listener();
  }

  /** Calls back after each append and at the end; returns how to stop. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  text(): string {
    return readFileSync(this.#path, 'utf8');
  }

  #append(stream: Stream, lines: readonly string[]): void {
    if (this.closed) return;
    const time = new Date().toISOString();
    const bytes = Buffer.from(lines.map((line) => `${time} ${stream} F ${line}\n`).join(''));
    if (this.#size + bytes.length > MAX_BYTES) {
      closeSync(this.#file);
      renameSync(this.#path, `${this.#path}.1`);
      this.#file = openSync(this.#path, 'w', 0o600);
      this.#size = 0;
    }
    writeSync(this.#file, bytes);
    this.#size += bytes.length;
    for (const listener of this.#listeners) listener();
  }
}
