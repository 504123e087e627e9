// The events a tail keeps: the newest, bounded in number and in size.

import type { Heard } from '../hub/feed';

export interface Entry extends Heard {
  /// Counts up; tells entries apart and orders them.
  key: number;
}

export const RING_EVENTS = 2000;
export const RING_CHARACTERS = 8 * 1024 * 1024;

/// So many more may be kept until the oldest are dropped together.
const SLACK = 500;

export class Ring {
  #entries: Entry[] = [];
  #characters = 0;
  #next = 0;
  /// All that were ever added.
  total = 0;

  add(heard: Heard): void {
    this.total += 1;
    this.#entries.push({ ...heard, key: this.#next });
    this.#next += 1;
    this.#characters += heard.data.length;
    // Now and then: to move all entries for each that comes would cost more than the rest.
    if (this.#entries.length > RING_EVENTS + SLACK || this.#characters > RING_CHARACTERS) this.#trim();
  }

  /// Those that are kept, newest first.
  newest(): Entry[] {
    this.#trim();
    return this.#entries.toReversed();
  }

  clear(): void {
    this.#entries = [];
    this.#characters = 0;
  }

  #trim(): void {
    let drop = Math.max(0, this.#entries.length - RING_EVENTS);
    let characters = this.#characters;
    for (let i = 0; i < drop; i += 1) characters -= (this.#entries[i] as Entry).data.length;
    // The newest stays, however large.
    while (characters > RING_CHARACTERS && drop < this.#entries.length - 1) {
      characters -= (this.#entries[drop] as Entry).data.length;
      drop += 1;
    }
    this.#entries.splice(0, drop);
    this.#characters = characters;
  }
}

/// Whether an entry holds `text`, in lower case, in what is shown of it.
export function holds(entry: Entry, text: string): boolean {
  return [entry.topic, entry.type, entry.id, entry.data].some(part => part.toLowerCase().includes(text));
}
