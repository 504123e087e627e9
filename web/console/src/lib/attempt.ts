// A request that is made again when its answer was lost, under the same key.

import { hex } from './format';

/// A name for a request, so that the hub knows a repetition.
function newKey(): string {
  return hex(crypto.getRandomValues(new Uint8Array(16)));
}

export class Attempt {
  #request: string | null = null;
  #key = '';

  /// The key of `request`, which is that of the last one if it is the same and
  /// hasn't been answered.
  key(request: string): string {
    if (request !== this.#request) this.#key = newKey();
    this.#request = request;
    return this.#key;
  }

  /// The request was done: what comes now is another, even if it looks alike.
  done(): void {
    this.#request = null;
  }
}
