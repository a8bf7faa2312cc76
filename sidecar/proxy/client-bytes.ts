import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';

const PIECE = 4096;
const NOTHING = Buffer.alloc(0);

/**
 * What a client sends, on its way to the app: taken from its stream before that keeps any of it. Node holds every record, frame or chunk that waits as an object of its own, some 300 bytes for
 * a single one, and sometimes the whole record around it: a client that sends byte by byte to an app that does not read would take hundreds of times its window. Here what waits lies in
 * full pieces, and the app is written to again when it has taken what came before. The stream keeps its events; `end` comes when the last byte was taken.
 */
export class ClientBytes {
  readonly #stream: Readable;
  readonly #end: () => void;
  readonly #most: number;
  readonly #alone: boolean;
  #to: Writable | undefined;
  #waiting: Buffer[] = [];
  #tail: Buffer | undefined;
  #used = 0;
  #bytes = 0;
  #writing = false;
  #underWay = 0;
  /** What `underWay` counts. */
  #sending: readonly Buffer[] = [];
  #stopped = false;
  #ended = false;
  #unwanted = false;

  /**
   * @param most bytes that may wait before the client is read no further; what was read already, and a stream's window over HTTP/2, may come on top
   * @param alone nobody else holds on to the stream's chunks: each is given back as soon as it was sent
   */
  constructor(stream: Readable, most = 16_384, alone = false) {
    this.#stream = stream;
    this.#most = most;
    this.#alone = alone;
    const push = stream.push.bind(stream);
    this.#end = () => void push(null);
    // What Node hands to a stream that it reads for, it hands over by this (stream.Readable, "push").
    stream.push = (chunk: Buffer | null) => this.#take(chunk);
    const before: unknown = stream.readableLength > 0 ? stream.read() : null;
    if (Buffer.isBuffer(before)) this.#take(before);
  }

  readonly #written = (error?: Error | null): void => {
    this.#writing = false;
    const sent = this.#sending;
    this.#sending = [];
    if (error) this.discard();
    else for (const piece of sent) this.#giveBack(piece);
    if (this.#unwanted) return;
    this.#bytes -= this.#underWay;
    this.#send();
  };

  /** Writes what came and what comes, and ends `to` after it, when the stream's other listeners for `end` were heard. */
  sendTo(to: Writable): void {
    this.#to = to;
    const end = (): void => {
      if (this.#to === to) to.end();
    };
    if (this.#stream.readableEnded) end();
    else this.#stream.once('end', end);
    this.#stream.resume();
    this.#send();
  }

  /** What came and what comes is thrown away. */
  discard(): void {
    this.#unwanted = true;
    this.#to = undefined;
    this.#waiting = [];
    this.#tail = undefined;
    this.#bytes = 0;
    this.#stream.resume();
    this.#goOn();
  }

  #take(chunk: Buffer | null): boolean {
    if (chunk === null) {
      this.#ended = true;
      if (this.#bytes === 0 && !this.#writing) this.#end();
      return false;
    }
    if (this.#unwanted) return true;
    this.#bytes += chunk.length;
    if (this.#to === undefined || this.#writing) this.#keep(chunk);
    else this.#pass(this.#to, chunk);
    this.#stopped = this.#bytes >= this.#most;
    return !this.#stopped;
  }

  /** Nothing waits: it goes on as it is. */
  #pass(to: Writable, chunk: Buffer): void {
    if (!(to instanceof Socket)) {
      this.#write(to, [chunk]);
      return;
    }
    this.#writing = true;
    to.write(chunk);
    if (to.writableLength === 0) {
      // The kernel has taken it, as it does while the app reads: nobody need be called back.
      this.#writing = false;
      this.#bytes = 0;
      this.#giveBack(chunk);
      return;
    }
    this.#underWay = this.#bytes;
    this.#sending = [chunk];
    to.write(NOTHING, this.#written);
  }

  /** Its memory at once, for the next one: what waits for the collector of garbage costs an upload a third of its speed. */
  #giveBack(chunk: Buffer): void {
    const { buffer } = chunk;
    if (this.#alone && chunk.length >= PIECE && chunk.length === buffer.byteLength && 'transfer' in buffer)
      buffer.transfer(0);
  }

  #keep(chunk: Buffer): void {
    // By itself if it is large, and most of what it keeps in memory.
    if (chunk.length >= PIECE && chunk.length * 2 >= chunk.buffer.byteLength) {
      this.#seal();
      this.#waiting.push(chunk);
      return;
    }
    for (let at = 0; at < chunk.length; ) {
      this.#tail ??= Buffer.allocUnsafeSlow(PIECE);
      const copied = chunk.copy(this.#tail, this.#used, at);
      at += copied;
      this.#used += copied;
      if (this.#used === PIECE) this.#seal();
    }
  }

  #seal(): void {
    if (this.#tail !== undefined) this.#waiting.push(this.#tail.subarray(0, this.#used));
    this.#tail = undefined;
    this.#used = 0;
  }

  #send(): void {
    if (this.#to === undefined || this.#writing) return;
    this.#seal();
    const pieces = this.#waiting;
    this.#waiting = [];
    if (pieces.length > 0) this.#write(this.#to, pieces);
    else this.#goOn();
  }

  #write(to: Writable, pieces: readonly Buffer[]): void {
    this.#writing = true;
    this.#underWay = this.#bytes;
    this.#sending = pieces;
    const last = pieces.length - 1;
    if (last > 0) to.cork();
    for (const [i, piece] of pieces.entries()) to.write(piece, i === last ? this.#written : undefined);
    if (last > 0) to.uncork();
  }

  /** Nothing waits: the end is told, or the client read further. */
  #goOn(): void {
    if (this.#ended) this.#end();
    else if (this.#stopped) this.#stream._read(0);
    this.#stopped = false;
  }
}
