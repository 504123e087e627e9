// What a watch asks of its server: URLs, headers, and what has to be got first.

import { object } from './feed.js';
import { TidingsError, type Options } from './types.js';

const SILENCE = 45_000;

export class Plan {
  readonly enveloped: boolean;
  readonly silence: number;
  readonly #options: Options;
  readonly #url: URL;

  /** Throws a TypeError if `url` is none. */
  constructor(url: string | URL, options: Options) {
    const { topics, presence, as } = options;
    const base = globalThis.document?.baseURI ?? globalThis.location?.href;
    this.#url = new URL(url, base);
    this.#options = options;
    this.enveloped = options.envelope ?? topics !== undefined;
    this.silence = options.silence ?? SILENCE;
    const query = this.#url.searchParams;
    if (topics !== undefined) {
      this.#url.pathname = this.#url.pathname.replace(/\/*$/, '/events');
      for (const topic of [topics].flat()) query.append('topic', topic);
    }
    if (this.enveloped) query.set('envelope', 'json');
    if (presence) query.set('presence', '1');
    if (as !== undefined) query.set('as', as);
  }

  /** What tabs that may share a connection have in common. */
  get name(): string {
    const { shared, credentials } = this.#options;
    return `tidings ${this.#url} ${credentials ?? ''} ${shared === true ? '' : shared}`;
  }

  /** Whether an EventSource can do it. */
  get isPlain(): boolean {
    const { token, ticket, headers, transport } = this.#options;
    const asked = transport !== 'fetch' && typeof EventSource === 'function';
    return asked && (this.enveloped || transport === 'eventsource') && !token && !ticket && !headers;
  }

  get withCredentials(): boolean {
    return this.#options.credentials === 'include';
  }

  /** Whether what it identifies itself with is got anew for each connection. */
  get getsCredentials(): boolean {
    const { token, ticket, headers } = this.#options;
    return ticket !== undefined || typeof token === 'function' || typeof headers === 'function';
  }

  /** Whether the first connection starts before now. */
  get wantsPast(): boolean {
    return (this.#options.since ?? 'latest') !== 'latest';
  }

  /** The URL of a stream that goes on behind `id`, or begins if that is empty. */
  url(id: string): URL {
    const url = new URL(this.#url);
    if (id === '' && this.#options.since !== undefined) url.searchParams.set('since', this.#options.since);
    return url;
  }

  /** Asks for the stream that goes on behind `id`. */
  async request(id: string, signal: AbortSignal): Promise<Response> {
    const { credentials = 'same-origin', ticket } = this.#options;
    const headers = new Headers(await given(this.#options.headers));
    const authorized = new Headers(headers);
    const token = await given(this.#options.token);
    if (token !== undefined) authorized.set('Authorization', `Bearer ${token}`);
    const url = this.url(id);
    if (ticket !== undefined) {
      url.searchParams.set('ticket', await getTicket(ticket, { credentials, signal, headers: authorized }));
    }
    const stream = ticket === undefined ? authorized : headers;
    stream.set('Accept', 'text/event-stream');
    // R4: its UTF-8 bytes, of which a header's text has one for each character.
    if (id !== '') stream.set('Last-Event-ID', String.fromCharCode(...new TextEncoder().encode(id)));
    return fetch(url, { credentials, signal, headers: stream, cache: 'no-store' });
  }
}

/** What refuses for good is told with its reason; null if it may be asked again. */
export async function refusal(response: Response): Promise<TidingsError | null> {
  const { status } = response;
  // 408, 425 and 429 say "not now" (RFC 9110, 8470, 6585).
  const passes = status >= 500 || [408, 425, 429].includes(status);
  const problem = object(await response.text().catch(() => ''));
  if (passes) return null;
  const text = (name: string) => (typeof problem?.[name] === 'string' ? problem[name] : null);
  const what = text('detail') ?? text('title') ?? response.statusText;
  return new TidingsError(`the server answered ${status}${what && `: ${what}`}`, { status, code: text('code'), fatal: true });
}

async function getTicket(ticket: NonNullable<Options['ticket']>, request: RequestInit): Promise<string> {
  if (typeof ticket === 'function') return ticket();
  const response = await fetch(ticket, { ...request, method: 'POST', cache: 'no-store' });
  if (!response.ok) {
    const { status } = response;
    throw (await refusal(response)) ?? new TidingsError(`a ticket was asked for, and ${status} answered`, { status });
  }
  const answer = object(await response.text())?.['ticket'];
  if (typeof answer !== 'string') throw new TidingsError('what was to give a ticket gave none');
  return answer;
}

async function given<T>(value: T | (() => T | Promise<T>) | undefined): Promise<T | undefined> {
  return typeof value === 'function' ? (value as () => T | Promise<T>)() : value;
}
