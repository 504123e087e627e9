// What tabs that share a connection have been given, so that each is given
// every event once, whoever hands it on.
//
// Ids say nothing of their order. But each event is handed on with the one that
// stood before it, so that a tab sees for itself whether an event follows what
// it has, is one that it has, or leaves something out.

import type { Told } from './feed.js';

/** A place in the stream. */
export interface Place {
  /** What names the event before it among tabs: an id alone may be given in several topics. Empty before the first. */
  key: string;
  /** The id from which a connection goes on; empty where none has begun. */
  id: string;
}

export const START: Place = { key: '', id: '' };

/** One step: behind the event `after` comes this one; or none, and the place has another id. */
export interface Link extends Place {
  after: string;
  event: Told | null;
}

/** How many links a tab keeps to hand on, and how many characters of data they have together. */
const MOST_LINKS = 2_048;
const MOST_CHARACTERS = 2 * 1024 * 1024;

export class Chain {
  #place: Place;
  /** The place before the oldest link. */
  #start: Place;
  /** The events that were taken last, oldest first. */
  #links: Link[] = [];
  #characters = 0;
  /** By key, how many events had been taken with each of them. */
  readonly #known = new Map<string, number>();
  #count = 0;

  constructor(place: Place) {
    this.#start = place;
    this.#place = place;
    this.#known.set(place.key, 0);
  }

  get place(): Place {
    return this.#place;
  }

  /** Whether the event before `place` was taken, and not too long ago. */
  knows({ key }: Place): boolean {
    return this.#known.has(key);
  }

  /** All that can be handed on, and the place behind which it is. */
  get whole(): { start: Place; links: readonly Link[] } {
    return { start: this.#start, links: this.#links };
  }

  /** The link by which this event follows `place`, or by which the place gets this id. */
  follow(id: string, event: Told | null, place = this.#place): Link {
    const after = place.key;
    return { after, key: event ? `${id} ${event.topic ?? event.type}` : after, id, event };
  }

  /** Whether the link is `new` and has to be told, `known`, or behind a `hole`. */
  take(link: Link): 'new' | 'known' | 'hole' {
    const after = this.#known.get(link.after);
    if (after === undefined) return 'hole';
    if (!link.event) {
      if (after < this.#count) return 'known';
      this.#place = { key: link.key, id: link.id };
      return 'new';
    }
    if ((this.#known.get(link.key) ?? 0) > after) return 'known';
    // It goes on elsewhere than we did: a gap, or an event that was passed over
    // for us. What we had behind `after` is given again rather than lost.
    if (after < this.#count) this.#goBack(after);
    this.#keep(link);
    return 'new';
  }

  /** What leads from the event `key` to here; null if that isn't known any more. */
  behind(key: string): readonly Link[] | null {
    if (key === this.#place.key) return [];
    const first = this.#links.findIndex(({ after }) => after === key);
    return first < 0 ? null : this.#links.slice(first);
  }

  #keep(link: Link): void {
    this.#place = { key: link.key, id: link.id };
    this.#count += 1;
    this.#known.set(link.key, this.#count);
    this.#links.push(link);
    this.#characters += size(link);
    while (this.#links.length > MOST_LINKS || this.#characters > MOST_CHARACTERS) {
      const oldest = this.#links.shift();
      if (!oldest) break;
      this.#characters -= size(oldest);
      this.#start = { key: oldest.key, id: oldest.id };
      // A server may give an id again; what is known then is its last place.
      const known = this.#known.get(oldest.after);
      if (known !== undefined && known < this.#count - this.#links.length) this.#known.delete(oldest.after);
    }
  }

  /** To where `count` events had been taken. */
  #goBack(count: number): void {
    const kept = this.#links.length - (this.#count - count);
    for (const link of this.#links.splice(kept)) this.#characters -= size(link);
    this.#count = count;
    this.#known.clear();
    [this.#start, ...this.#links].forEach(({ key }, i) => this.#known.set(key, count - kept + i));
  }
}

function size({ event }: Link): number {
  return event?.data.length ?? 0;
}
