// A stream that is fetched, and fetched again whenever it ends.

import { delay, retryAfter } from './backoff.js';
import { told, type Feed, type Receiver } from './feed.js';
import { Parser, TooLarge, type Block } from './parser.js';
import { refusal, type Plan } from './plan.js';
import { TidingsError } from './types.js';

/** How a connection ended: for good, or to be followed by another. */
type Outcome = { over: TidingsError | null } | { problem?: TidingsError; after?: number | null };

export class Fetched implements Feed {
  readonly #plan: Plan;
  readonly #receiver: Receiver;
  #id: string;
  #closed = false;
  #connection: AbortController | null = null;
  #endWait: (() => void) | null = null;
  #heard = 0;
  #told: number | null = null;
  #before: number | null = null;
  #failures = 0;
  #ended = false;
  #unauthorized = false;

  /** Goes on behind `id`, or begins if that is empty. */
  constructor(plan: Plan, receiver: Receiver, id = '') {
    this.#plan = plan;
    this.#receiver = receiver;
    this.#id = id;
  }

  start(): void {
    void this.#run();
  }

  close(): void {
    this.#closed = true;
    this.#connection?.abort();
    this.#endWait?.();
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      this.#receiver.state('connecting');
      if (this.#closed) return;
      this.#told = null;
      this.#failures += 1;
      const outcome = await this.#connect();
      if (this.#closed) return;
      if ('over' in outcome) {
        this.close();
        return this.#receiver.over(outcome.over);
      }
      this.#receiver.state('waiting');
      if (outcome.problem) this.#receiver.problem(outcome.problem);
      if (!this.#closed) await this.#wait(outcome.after ?? null);
    }
  }

  /** One connection, from its request to its end. */
  async #connect(): Promise<Outcome> {
    const connection = new AbortController();
    this.#connection = connection;
    const release = this.#endWhenSilent(connection);
    // What a page's own function gives may never come.
    const aborted = new Promise<never>((_, reject) => {
      connection.signal.addEventListener('abort', () => reject(connection.signal.reason));
    });
    try {
      const response = await Promise.race([this.#plan.request(this.#id, connection.signal), aborted]);
      return await Promise.race([this.#answer(response), aborted]);
    } catch (error) {
      if (error instanceof TooLarge) return { over: new TidingsError(error.message, { fatal: true }) };
      if (error instanceof TidingsError) return error.fatal ? { over: error } : { problem: error };
      return { problem: new TidingsError(error instanceof Error ? error.message : String(error)) };
    } finally {
      release();
      connection.abort();
    }
  }

  async #answer(response: Response): Promise<Outcome> {
    if (this.#closed) return {};
    const { status, headers, body } = response;
    if (status === 204) return { over: null };
    if (status !== 200) {
      const problem = new TidingsError(`the server answered ${status}`, { status });
      const over = await refusal(response);
      // What was got for this connection may have become invalid meanwhile.
      if (status === 401 && this.#plan.getsCredentials && !this.#unauthorized) {
        this.#unauthorized = true;
        return { problem, after: 0 };
      }
      return over ? { over } : { problem, after: retryAfter(headers.get('Retry-After'), Date.now()) };
    }
    const type = headers.get('Content-Type') ?? '';
    if (!/^\s*text\/event-stream\s*(;|$)/i.test(type) || !body) {
      return { over: new TidingsError('what the server answered is no event stream', { status, fatal: true }) };
    }
    this.#unauthorized = false;
    this.#receiver.state('open');
    await this.#read(body);
    return {};
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const parser = new Parser({
      block: block => this.#block(block),
      retry: ms => { this.#told = this.#before = ms; },
    }, this.#id);
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.#closed) return;
      this.#heard = performance.now();
      this.#receiver.heard();
      parser.push(value);
    }
  }

  #block(block: Block): void {
    // B5: what came is not told any more once the watch is closed.
    if (this.#closed) return;
    this.#failures = 0;
    const moved = block.id !== this.#id;
    this.#id = block.id;
    if (block.data !== null) {
      const event = told({ ...block, data: block.data }, this.#plan.enveloped);
      this.#ended = event.type === 'tidings:end';
      this.#receiver.event(event);
    } else if (moved) {
      this.#receiver.position(block.id);
    }
  }

  /** Ends a connection that brings nothing, not even the server's comments. */
  #endWhenSilent(connection: AbortController): () => void {
    const { silence } = this.#plan;
    if (silence <= 0) return () => {};
    this.#heard = performance.now();
    let timer: ReturnType<typeof setTimeout>;
    const look = () => {
      const left = this.#heard + silence - performance.now();
      if (left <= 0) connection.abort(new TidingsError(`nothing came for ${silence / 1000} s`));
      else timer = setTimeout(look, left);
    };
    timer = setTimeout(look, silence);
    return () => clearTimeout(timer);
  }

  /** Waits until it is time to ask again, or the machine is online again. */
  #wait(after: number | null): Promise<void> {
    // Behind the end of what is watched there is only the answer that says so.
    if (this.#ended) {
      this.#ended = false;
      return Promise.resolve();
    }
    const lost = { told: this.#told, before: this.#before, after, failures: this.#failures, random: Math.random() };
    return new Promise(resolve => {
      const end = () => {
        clearTimeout(timer);
        globalThis.removeEventListener?.('online', end);
        this.#endWait = null;
        resolve();
      };
      const timer = setTimeout(end, delay(lost));
      globalThis.addEventListener?.('online', end);
      this.#endWait = end;
    });
  }
}
