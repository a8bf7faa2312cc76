import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** Every head ends so (RFC 9112, 2.1). */
const END_OF_HEAD = '\r\n\r\n';
/** Bytes that are read ahead while nothing is handed on. */
const AHEAD = 16_384;

/**
 * A client's connection as Node's HTTP server may see it: what has come is handed on to the end of the next head and no further, once a turn of the event loop.
 * Node's parser makes objects of all requests in what it is given, some 4 KB for 20 bytes, also after the connection was destroyed: strangers who send a thousand requests at
 * once would take all memory of a small container. The rest waits as bytes, and back-pressure reaches the client. Everything else passes straight through.
 */
export class HeadwiseSocket<Line extends Socket = Socket> extends Duplex {
  /** The connection below: whose certificates, address and end count. */
  readonly line: Line;
  #rest: Buffer = Buffer.alloc(0);
  #ended = false;
  #wanted = false;
  #held = false;
  #coming = false;

  constructor(line: Line) {
    super({ readableHighWaterMark: 1, writableHighWaterMark: line.writableHighWaterMark });
    this.line = line;
    // An end of the connection is what matters, and it is seen below.
    this.on('error', () => {});
    line.on('error', () => {});
    // One record at a time.
    line.on('data', (come: Buffer) => {
      line.pause();
      this.#rest = this.#rest.length === 0 ? come : Buffer.concat([this.#rest, come]);
      if (this.#held) this.#readAhead();
      else this.#soon();
    });
    line.pause();
    line.once('end', () => {
      this.#ended = true;
      // As Node does with a connection that ends before it was answered.
      if (this.#held) this.destroy();
      else this.#soon();
    });
    line.on('timeout', () => this.emit('timeout'));
    line.once('close', () => {
      // Both sides have said all: what came last is still to be read, and this ends by itself.
      const whole = line.errored === null && this.#ended && this.writableFinished;
      if (!whole || this.#rest.length === 0) this.destroy(line.errored ?? undefined);
    });
  }

  /**
   * Hands nothing on until `release`: a request waits for the app. Who goes away meanwhile is seen, because a little is read ahead, and the connection ends.
   */
  hold(): void {
    this.#held = true;
    if (this.#ended) this.destroy();
    else this.#readAhead();
  }

  release(): void {
    this.#held = false;
    this.#soon();
  }

  /** As of a net.Socket: Node's HTTP server sets it where it can. */
  setTimeout(milliseconds: number): this {
    this.line.setTimeout(milliseconds);
    return this;
  }

  /** As of a net.Socket: after the last answer. */
  destroySoon(): void {
    this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  #readAhead(): void {
    if (this.#rest.length < AHEAD) this.line.resume();
  }

  #soon(): void {
    if (this.#coming || this.#held || !this.#wanted) return;
    this.#coming = true;
    setImmediate(() => {
      this.#coming = false;
      if (!this.#held && !this.destroyed) this.#hand();
    });
  }

  #hand(): void {
    if (this.#rest.length === 0 && this.#ended) {
      this.push(null);
      // As net.Socket does: the end is seen also by who has paused.
      this.read(0);
      return;
    }
    if (this.#rest.length === 0) {
      this.line.resume();
      return;
    }
    const end = this.#rest.indexOf(END_OF_HEAD);
    const cut = end < 0 ? this.#rest.length : end + END_OF_HEAD.length;
    const next = this.#rest.subarray(0, cut);
    this.#rest = this.#rest.subarray(cut);
    this.#wanted = false;
    this.push(next);
  }

  override _read(): void {
    this.#wanted = true;
    this.#soon();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.line.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const last = chunks.length - 1;
    this.line.cork();
    for (const [i, { chunk }] of chunks.entries()) this.line.write(chunk, i === last ? done : undefined);
    this.line.uncork();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.line.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#rest = Buffer.alloc(0);
    this.line.destroy();
    done(error);
  }
}
