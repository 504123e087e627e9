// A tail of a topic or pattern that stays calm however much comes: events are
// kept as they come and shown a few times a second.

import type { Refusal } from '../hub/api';
import type { FeedState, Heard } from '../hub/feed';
import { Ring, holds, type Entry } from './ring';
import { Store } from './store';

export interface TailView {
  feed: FeedState;
  refusal: Refusal | null;
  /// Newest first; what the search leaves of them.
  entries: Entry[];
  /// All that came since it began.
  total: number;
  /// Events per second, of late.
  rate: number;
  paused: boolean;
  /// How many came while paused.
  unseen: number;
}

const EMPTY: TailView = {
  feed: 'connecting', refusal: null, entries: [], total: 0, rate: 0, paused: false, unseen: 0,
};
/// Over how long the rate is taken.
const RATE_MS = 2000;

export class Tail {
  readonly view = new Store<TailView>(EMPTY);
  #ring = new Ring();
  #changed = false;
  #pausedAt = 0;
  #search = '';
  /// What there was when it was paused.
  #frozen: Entry[] | null = null;
  #marks: { at: number; total: number }[] = [];

  take(heard: Heard): void {
    this.#ring.add(heard);
    this.#changed = true;
  }

  state(feed: FeedState, refusal: Refusal | null): void {
    this.view.set({ ...this.view.get(), feed, refusal });
  }

  /// Shows what has come since; to be called a few times a second.
  flush(now: number): void {
    const before = this.view.get();
    const total = this.#ring.total;
    this.#marks.push({ at: now, total });
    while (this.#marks.length > 2 && now - (this.#marks[0] as { at: number }).at > RATE_MS) this.#marks.shift();
    const first = this.#marks[0] as { at: number; total: number };
    const rate = now > first.at ? (total - first.total) * 1000 / (now - first.at) : 0;
    if (!this.#changed && rate === before.rate) return;
    const unseen = before.paused ? total - this.#pausedAt : 0;
    const entries = before.paused || !this.#changed ? before.entries : this.#shown();
    this.#changed = this.#changed && before.paused;
    this.view.set({ ...before, entries, total, rate, unseen });
  }

  pause(paused: boolean): void {
    const before = this.view.get();
    if (paused === before.paused) return;
    this.#pausedAt = this.#ring.total;
    this.#frozen = paused ? this.#ring.newest() : null;
    this.#changed = false;
    this.view.set({ ...before, paused, unseen: 0, entries: this.#shown() });
  }

  search(text: string): void {
    this.#search = text.toLowerCase();
    this.view.set({ ...this.view.get(), entries: this.#shown() });
  }

  clear(): void {
    this.#ring.clear();
    if (this.#frozen) this.#frozen = [];
    this.#pausedAt = this.#ring.total;
    this.view.set({ ...this.view.get(), entries: [], unseen: 0 });
  }

  #shown(): Entry[] {
    const all = this.#frozen ?? this.#ring.newest();
    return this.#search ? all.filter(entry => holds(entry, this.#search)) : all;
  }
}
