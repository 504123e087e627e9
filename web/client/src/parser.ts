// The event stream format of the WHATWG standard (HTML, section 9.2.6), read
// from bytes as they come. The rules are cited by the letters and numbers that
// the tests of the hub use.

/** What a blank line ended. */
export interface Block {
  /** The event's name; `message` if it has none. */
  type: string;
  /** Its data; null if the block has none, and is no event. */
  data: string | null;
  /** The last event ID behind it. */
  id: string;
  /** Whether the block said its ID itself. */
  identified: boolean;
}

export interface Sink {
  block(block: Block): void;
  /** The server's reconnection time in milliseconds. */
  retry(ms: number): void;
}

/** The most characters that an event may have, so that a stream without line ends takes no memory without end. */
export const MAX_EVENT = 32 * 1024 * 1024;

export class TooLarge extends Error {
  constructor(limit: number) {
    super(`an event of more than ${limit} characters`);
  }
}

/** One connection's stream. */
export class Parser {
  readonly #sink: Sink;
  readonly #limit: number;
  // D1, D2, D3: always UTF-8, one BOM at the start, nothing that fails.
  readonly #decoder = new TextDecoder();
  readonly #lineEnd = /\r\n?|\n/g;
  #line = '';
  #endedByCr = false;
  #data: string[] = [];
  #size = 0;
  #type = '';
  #id: string;
  #identified = false;

  /** `id` is the last event ID so far, which a block without one leaves as it is. */
  constructor(sink: Sink, id = '', limit = MAX_EVENT) {
    this.#sink = sink;
    this.#id = id;
    this.#limit = limit;
  }

  /** Throws `TooLarge`; then the stream can't be read on. */
  push(bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true });
    if (text === '') return;
    // D5: a CR ends its line at once, a LF behind it is part of the same end.
    let start = this.#endedByCr && text.startsWith('\n') ? 1 : 0;
    this.#endedByCr = false;
    this.#lineEnd.lastIndex = start;
    for (let end; (end = this.#lineEnd.exec(text)); start = this.#lineEnd.lastIndex) {
      const line = this.#line + text.slice(start, end.index);
      this.#line = '';
      this.#endedByCr = this.#lineEnd.lastIndex === text.length && end[0] === '\r';
      this.#take(line);
    }
    this.#line += text.slice(start);
    this.#bound(this.#line.length);
  }

  #bound(more: number): void {
    if (this.#size + more > this.#limit) throw new TooLarge(this.#limit);
  }

  #take(line: string): void {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    // F1, F2, F3
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    this.#field(name, value);
  }

  #field(name: string, value: string): void {
    switch (name) {
      case 'data': // F6
        this.#bound(value.length + 1);
        this.#size += value.length + 1;
        this.#data.push(value);
        break;
      case 'event': // F5
        this.#type = value;
        break;
      case 'id': // F7
        if (value.includes('\0')) break;
        this.#id = value;
        this.#identified = true;
        break;
      case 'retry': // F8
        if (/^[0-9]+$/.test(value)) this.#sink.retry(Math.min(Number(value), 0x7fffffff));
    }
  }

  // B1, B2, B3, B4
  #dispatch(): void {
    const block = {
      type: this.#type || 'message',
      data: this.#data.length > 0 ? this.#data.join('\n') : null,
      id: this.#id,
      identified: this.#identified,
    };
    this.#data = [];
    this.#size = 0;
    this.#type = '';
    this.#identified = false;
    if (block.data !== null || block.identified) this.#sink.block(block);
  }
}
