// The events a tail keeps: the newest, bounded in number and in size.

export interface Entry {
  /// Counts up; tells entries apart and orders them.
  key: number;
  kind: 'event' | 'gap' | 'hub';
  topic: string;
  type: string;
  id: string;
  /// Milliseconds since 1970.
  time: number;
  data: string;
}

export const RING_EVENTS = 2000;
export const RING_CHARACTERS = 8 * 1024 * 1024;

export class Ring {
  #entries: Entry[] = [];
  #characters = 0;
  #next = 0;
  /// All that were ever added.
  total = 0;

  add(added: readonly Omit<Entry, 'key'>[]): void {
    this.total += added.length;
    for (const entry of added.slice(-RING_EVENTS)) {
      this.#entries.push({ ...entry, key: this.#next });
      this.#next += 1;
      this.#characters += entry.data.length;
    }
    this.#trim();
  }

  /// Those that are kept, newest first.
  newest(): Entry[] {
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
