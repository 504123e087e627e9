// A watch: what a page opens, listens to, and closes.

import { ByEventSource } from './event_source.js';
import { Fetched } from './fetched.js';
import { object, type Feed, type Receiver, type Told } from './feed.js';
import { Plan } from './plan.js';
import { Rosters } from './presence.js';
import { matches } from './selector.js';
import { Tab } from './tab.js';
import { TidingsError, type Options, type OwnEvents, type Presence, type State, type TidingsEvent } from './types.js';

type Handler = (given: never) => void;
type EventOf<Events, Type> = Type extends keyof OwnEvents
  ? OwnEvents[Type]
  : Type extends keyof Events & string
    ? TidingsEvent<Events[Type], Type>
    : TidingsEvent<Events[keyof Events]>;

/**
 * Watches a hub, or any event stream, until `close()`: it reconnects by itself
 * and goes on behind the last event. `Events` says which data the event of
 * each name has.
 *
 * It begins in the microtask after its construction, so what listens by then
 * misses nothing.
 */
export class Tidings<Events extends object = Record<string, string>> {
  readonly #decode: NonNullable<Options['decode']>;
  readonly #handlers = new Map<string, Set<Handler>>();
  readonly #rosters = new Rosters();
  readonly #feed: Feed;
  #state: State = 'connecting';
  #error: TidingsError | null = null;
  #lastEventId = '';

  /** Throws a TypeError if `url` is none. */
  constructor(url: string | URL, options: Options = {}) {
    this.#decode = options.decode ?? 'text';
    this.#feed = feedOf(new Plan(url, options), options, this.#receiver(), this.#rosters);
    queueMicrotask(() => {
      if (this.#state !== 'closed') this.#feed.start();
    });
  }

  get state(): State {
    return this.#state;
  }

  /** What has closed the watch; null if nothing has, or the page itself, or the end of all topics. */
  get error(): TidingsError | null {
    return this.#error;
  }

  /** The id of the last event, or of the place where the stream is if that is known. */
  get lastEventId(): string {
    return this.#lastEventId;
  }

  /** Who is present at each topic, as far as the hub has said it. */
  get presence(): Presence[] {
    return this.#rosters.all();
  }

  /**
   * Calls `handler` with each event of this name (`message`: those without
   * one; `*`: all events), or with what the watch itself tells (`tidings:gap`
   * and so on). Gives back what ends that.
   */
  on<Type extends keyof OwnEvents | (keyof Events & string) | '*'>(
    type: Type,
    handler: (event: EventOf<Events, Type>) => void,
  ): () => void {
    return this.#add(type, handler as Handler);
  }

  /** Calls `handler` with each event of a topic, or of those that a pattern selects. Gives back what ends that. */
  onTopic(selector: string, handler: (event: TidingsEvent<Events[keyof Events]>) => void): () => void {
    const chosen = (event: TidingsEvent<Events[keyof Events]>) => {
      if (event.topic !== null && matches(selector, event.topic)) handler(event);
    };
    return this.#add('*', chosen as Handler);
  }

  /** Ends the watch for good. Nothing is told any more, not even that. */
  close(): void {
    this.#handlers.clear();
    this.#state = 'closed';
    this.#feed.close();
  }

  #add(type: string, handler: Handler): () => void {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers.add(handler));
    return () => handlers.delete(handler);
  }

  #receiver(): Receiver {
    return {
      state: state => this.#become(state),
      event: event => this.#take(event),
      position: id => { this.#lastEventId = id; },
      problem: error => this.#tell('tidings:error', error),
      over: error => this.#over(error),
      heard: () => {},
    };
  }

  #become(state: State): void {
    if (this.#state === 'closed') return;
    const changed = this.#state !== state;
    this.#state = state;
    if (changed || state === 'connecting') this.#tell('tidings:state', state);
  }

  #over(error: TidingsError | null): void {
    this.#error = error;
    this.#become('closed');
    if (error) this.#tell('tidings:error', error);
    else this.#tell('tidings:end', { topic: null });
    this.close();
  }

  #take(event: Told): void {
    if (this.#state === 'closed') return;
    if (event.id !== null) this.#lastEventId = event.id;
    switch (event.type) {
      case 'tidings:presence': {
        const presence = this.#rosters.take(event.data);
        return presence ? this.#tell(event.type, presence) : undefined;
      }
      case 'tidings:gap':
      case 'tidings:end':
        return this.#tell(event.type, object(event.data) ?? {});
      case 'tidings:connection':
        return;
    }
    const whole = this.#decoded(event);
    if (!whole) return;
    this.#tell(event.type, whole);
    this.#tell('*', whole);
  }

  #decoded(event: Told): TidingsEvent<unknown> | null {
    const decode = this.#decode;
    try {
      switch (decode) {
        case 'text': return event;
        case 'json': return { ...event, data: JSON.parse(event.data) };
        default: return { ...event, data: decode(event.data, event.type, event.topic) };
      }
    } catch (cause) {
      const error = new TidingsError(`the data of an event of type ${JSON.stringify(event.type)} can't be decoded`, { code: 'undecodable' });
      error.cause = cause;
      this.#tell('tidings:error', error);
      return null;
    }
  }

  /** A handler that throws keeps no other from being called. */
  #tell(type: string, given: unknown): void {
    for (const handler of [...(this.#handlers.get(type) ?? [])]) {
      // One that an earlier one has removed isn't called, nor any after `close()`.
      if (!this.#handlers.get(type)?.has(handler)) continue;
      try {
        handler(given as never);
      } catch (error) {
        report(error);
      }
    }
  }
}

/** As a browser reports what a listener throws; where there is no browser, it is printed. */
function report(error: unknown): void {
  if (typeof reportError === 'function') reportError(error);
  else console.error(error);
}

function feedOf(plan: Plan, { shared }: Options, receiver: Receiver, rosters: Rosters): Feed {
  if (shared && Tab.isPossible) return new Tab(plan, receiver, () => rosters.snapshots());
  return plan.isPlain ? new ByEventSource(plan, receiver) : new Fetched(plan, receiver);
}
