// One connection for all tabs that watch the same: the tab that holds a lock
// has it and hands everything on; when that tab closes, freezes or dies, the
// next one goes on where it was itself.

import { Chain, START, type Link, type Place } from './chain.js';
import { gap, type Feed, type Receiver, type Told } from './feed.js';
import { Fetched } from './fetched.js';
import type { Plan } from './plan.js';
import { TidingsError, type State } from './types.js';

/** How long to wait to be told where the others are, before asking again. */
const ASK_MS = 300;
/** How often the tab that leads says so, while nothing else is said. */
const ALIVE_MS = 10_000;
/** After how long without a word it is taken for frozen. Browsers hold timers of hidden pages back for up to a minute. */
const FROZEN_MS = 90_000;

interface Failure {
  text: string;
  status: number;
  code: string | null;
  fatal: boolean;
}

/** What somebody who comes is told: the place `start`, and what follows it. */
interface Welcome {
  start: Place;
  links: readonly Link[];
  state: State;
  snapshots: string[];
}

/** What tabs say to one another. `to` is for one of them alone. */
type Word =
  | { kind: 'hello'; from: string; whole: boolean }
  | ({ kind: 'welcome'; to: string } & Welcome)
  | { kind: 'link'; link: Link }
  | { kind: 'live'; event: Told }
  | { kind: 'state'; state: Exclude<State, 'closed'> }
  | { kind: 'problem'; failure: Failure }
  | { kind: 'over'; failure: Failure | null }
  | { kind: 'behind'; from: string; key: string }
  | { kind: 'again'; to: string; links: readonly Link[] }
  | { kind: 'lost'; to: string; place: Place }
  | { kind: 'alive' };

export class Tab implements Feed {
  /** Web Locks need a page with TLS, or on localhost. */
  static get isPossible(): boolean {
    return typeof BroadcastChannel === 'function' && typeof navigator === 'object' && 'locks' in navigator;
  }

  readonly #plan: Plan;
  readonly #receiver: Receiver;
  readonly #snapshots: () => string[];
  readonly #name: string;
  readonly #own = crypto.randomUUID();
  #air: BroadcastChannel | null = null;
  /** Ends waiting in line, or leading. */
  #leave: AbortController | null = null;
  #chain: Chain | null = null;
  #leading: Fetched | null = null;
  #state: State = 'connecting';
  #asked = 0;
  #heard = 0;
  #said = 0;
  #welcomed: (() => void) | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** `snapshots` gives what tells another tab who is present. */
  constructor(plan: Plan, receiver: Receiver, snapshots: () => string[]) {
    this.#plan = plan;
    this.#receiver = receiver;
    this.#snapshots = snapshots;
    this.#name = plan.name;
  }

  start(): void {
    this.#receiver.state('connecting');
    this.#enter();
    globalThis.addEventListener?.('pagehide', this.#pageHide);
    globalThis.addEventListener?.('pageshow', this.#pageShow);
  }

  close(): void {
    globalThis.removeEventListener?.('pagehide', this.#pageHide);
    globalThis.removeEventListener?.('pageshow', this.#pageShow);
    this.#exit();
  }

  // A page that is kept for the way back holds no lock: the others go on. It
  // is told what it missed when it is shown again.
  readonly #pageHide = () => this.#exit();
  readonly #pageShow = (event: PageTransitionEvent) => { if (event.persisted) this.#enter(); };

  #enter(): void {
    const air = new BroadcastChannel(this.#name);
    air.onmessage = ({ data }) => this.#hear(data as Word);
    this.#air = air;
    this.#leave = new AbortController();
    this.#heard = performance.now();
    this.#timer = setInterval(() => this.#look(), ALIVE_MS);
    void this.#join(this.#leave.signal);
  }

  #exit(): void {
    clearInterval(this.#timer);
    this.#leave?.abort();
    this.#stepDown();
    this.#welcomed?.();
    this.#air?.close();
    this.#air = null;
  }

  /** Leads if nobody does; otherwise asks where the others are, and waits in line. Who doesn't know that can't lead. */
  async #join(leave: AbortSignal): Promise<void> {
    while (!leave.aborted) {
      if (await this.#hold({ ifAvailable: true }, leave)) continue;
      await this.#askIn();
      if (!leave.aborted && this.#chain) await this.#hold({ signal: leave }, leave);
    }
  }

  #askIn(): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(() => this.#welcomed?.(), ASK_MS);
      this.#welcomed = () => {
        clearTimeout(timer);
        this.#welcomed = null;
        resolve();
      };
      // Who wants what is past is given what the others had, from where they began.
      this.#say({ kind: 'hello', from: this.#own, whole: !this.#chain && this.#plan.wantsPast });
    });
  }

  /** Leads for as long as the lock is held. Whether it was had at all. */
  async #hold(how: LockOptions, leave: AbortSignal): Promise<boolean> {
    let had = false;
    const held = (lock: Lock | null) => {
      had = lock !== null;
      return had && !leave.aborted ? this.#lead(leave) : undefined;
    };
    try {
      await navigator.locks.request(this.#name, how, held);
    } catch (error) {
      // Another tab has taken the lock, or waiting was ended; or a page of a
      // sandbox may have none, and shares nothing.
      if (error instanceof Error && error.name === 'SecurityError') await this.#lead(leave);
    }
    if (had) this.#stepDown();
    return had;
  }

  #lead(leave: AbortSignal): Promise<void> {
    this.#chain ??= new Chain(START);
    // Who is behind hears it, and who is ahead knows what comes.
    this.#say({ kind: 'link', link: this.#chain.follow(this.#chain.place.id, null) });
    this.#leading = new Fetched(this.#plan, this.#leader(this.#chain), this.#chain.place.id);
    this.#leading.start();
    return new Promise(resolve => leave.addEventListener('abort', () => resolve()));
  }

  #stepDown(): void {
    this.#leading?.close();
    this.#leading = null;
  }

  /** What the tab with the connection is told, and tells. */
  #leader(chain: Chain): Receiver {
    // Where its stream is: what the one before had said last may still come in,
    // and brings the chain to where the stream isn't yet.
    let { place } = chain;
    const follow = (id: string, event: Told | null) => (place = chain.follow(id, event, place));
    const pass = (word: Word) => {
      if (!isPersonal(word)) this.#say(word);
      this.#take(word);
    };
    return {
      state: state => pass({ kind: 'state', state }),
      event: event => pass(event.id === null
        ? { kind: 'live', event }
        : { kind: 'link', link: follow(event.id, event) }),
      position: id => pass({ kind: 'link', link: follow(id, null) }),
      problem: error => pass({ kind: 'problem', failure: failure(error) }),
      over: error => pass({ kind: 'over', failure: error && failure(error) }),
      heard: () => {
        if (performance.now() - this.#said > ALIVE_MS / 2) this.#say({ kind: 'alive' });
      },
    };
  }

  #say(word: Word): void {
    this.#said = performance.now();
    this.#air?.postMessage(word);
  }

  #hear(word: Word): void {
    if ('to' in word && word.to !== this.#own) return;
    switch (word.kind) {
      case 'hello':
        return this.#welcome(word.from, word.whole);
      case 'behind':
        return this.#bringUp(word.from, word.key);
    }
    this.#heard = performance.now();
    this.#take(word);
  }

  #take(word: Word): void {
    switch (word.kind) {
      case 'welcome':
        return this.#comeIn(word);
      case 'state':
        this.#state = word.state;
        return this.#receiver.state(word.state);
      case 'link':
        return this.#follow(word.link);
      case 'again':
        this.#asked = 0;
        return word.links.forEach(link => this.#follow(link));
      case 'lost':
        this.#asked = 0;
        // One that leads from farther back will come to where this one is.
        if (this.#chain?.knows(word.place)) return;
        this.#chain = new Chain(word.place);
        return this.#receiver.event(gap('unknown', word.place.id || null));
      case 'live':
        return this.#chain ? this.#receiver.event(word.event) : undefined;
      case 'problem':
        return this.#receiver.problem(error(word.failure));
      case 'over':
        if (!word.failure && this.#isOwed) return;
        this.close();
        return this.#receiver.over(word.failure && error(word.failure));
    }
  }

  /**
   * Whether events may have come that this tab wasn't given, and that nobody can
   * give it any more. It is in line for the lock, and gets them from the server
   * itself, with the end.
   */
  get #isOwed(): boolean {
    return !this.#leading && (this.#asked !== 0 || !this.#chain);
  }

  #welcome(to: string, whole: boolean): void {
    if (!this.#leading || !this.#chain) return;
    const past = whole ? this.#chain.whole : { start: this.#chain.place, links: [] };
    this.#say({ kind: 'welcome', to, ...past, state: this.#state, snapshots: this.#snapshots() });
  }

  #bringUp(to: string, key: string): void {
    if (!this.#leading || !this.#chain) return;
    const links = this.#chain.behind(key);
    this.#say(links ? { kind: 'again', to, links } : { kind: 'lost', to, place: this.#chain.place });
  }

  #comeIn({ start, links, state, snapshots }: Welcome): void {
    if (state !== 'closed') this.#receiver.state(state);
    if (this.#chain) {
      // Who comes back has a place already, and catches up from it.
      this.#follow({ ...start, after: start.key, event: null });
    } else {
      this.#chain = new Chain(start);
      if (this.#plan.wantsPast && start.key !== START.key) this.#receiver.event(gap('unknown', start.id));
      links.forEach(link => this.#follow(link));
    }
    for (const data of snapshots) {
      this.#receiver.event({ type: 'tidings:presence', topic: null, id: null, time: null, data });
    }
    this.#welcomed?.();
  }

  #follow(link: Link): void {
    switch (this.#chain?.take(link)) {
      case 'new':
        return link.event ? this.#receiver.event(link.event) : this.#receiver.position(link.id);
      case 'hole': {
        // Once is enough for all that is on its way.
        const now = performance.now();
        if (this.#chain && (this.#asked === 0 || now - this.#asked > ASK_MS)) {
          this.#asked = now;
          this.#say({ kind: 'behind', from: this.#own, key: this.#chain.place.key });
        }
      }
    }
  }

  /** Says that it is there, or whether the tab that should is. */
  #look(): void {
    if (this.#leading) return this.#say({ kind: 'alive' });
    const leave = this.#leave?.signal;
    // Who knows where the others are goes first.
    const patience = this.#chain ? FROZEN_MS : 2 * FROZEN_MS;
    if (!leave || performance.now() - this.#heard < patience) return;
    this.#heard = performance.now();
    void this.#hold({ steal: true }, leave);
  }
}

/** What only this tab was refused, for who it is: the next one leads with a token of its own. */
function isPersonal(word: Word): boolean {
  return word.kind === 'over' && word.failure !== null && [401, 403].includes(word.failure.status);
}

function failure({ message, status, code, fatal }: TidingsError): Failure {
  return { text: message, status, code, fatal };
}

function error({ text, status, code, fatal }: Failure): TidingsError {
  return new TidingsError(text, { status, code, fatal });
}
