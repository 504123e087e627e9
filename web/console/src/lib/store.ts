// A value that parts of the page share, and how they follow it.

import { useEffect, useState } from 'preact/hooks';

export class Store<T> {
  #value: T;
  #followers = new Set<(value: T) => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const follower of [...this.#followers]) follower(value);
  }

  /// Calls `follower` with each new value, until what it answers is called.
  follow(follower: (value: T) => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }
}

export function useStore<T>(store: Store<T>): T {
  const [value, setValue] = useState(() => ({ of: store.get() }));
  useEffect(() => {
    setValue({ of: store.get() });
    return store.follow(of => setValue({ of }));
  }, [store]);
  return value.of;
}
