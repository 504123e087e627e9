// The browser's own EventSource, for as long as it goes on by itself. It can't
// say why it gave up, and its page can't say where another is to go on; a
// stream that is fetched can, and takes over.

import { gap, OWN, told, type Feed, type Receiver } from './feed.js';
import { Fetched } from './fetched.js';
import type { Plan } from './plan.js';

export class ByEventSource implements Feed {
  readonly #plan: Plan;
  readonly #receiver: Receiver;
  #source: EventSource | null = null;
  #next: Feed | null = null;
  #id = '';
  #opened = false;

  constructor(plan: Plan, receiver: Receiver) {
    this.#plan = plan;
    this.#receiver = receiver;
  }

  start(): void {
    this.#receiver.state('connecting');
    const source = new EventSource(this.#plan.url(''), { withCredentials: this.#plan.withCredentials });
    this.#source = source;
    source.onopen = () => {
      this.#opened = true;
      this.#receiver.state('open');
    };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) this.#takeOver();
      else this.#receiver.state('waiting');
    };
    for (const type of ['message', ...OWN]) {
      source.addEventListener(type, event => this.#event(event as MessageEvent<string>));
    }
  }

  close(): void {
    this.#source?.close();
    this.#source = null;
    this.#next?.close();
  }

  #event({ type, data, lastEventId }: MessageEvent<string>): void {
    if (!this.#source) return;
    // An event without an id of its own has that of the one before.
    const identified = lastEventId !== this.#id;
    this.#id = lastEventId;
    this.#receiver.event(told({ type, data, id: lastEventId, identified }, this.#plan.enveloped));
  }

  #takeOver(): void {
    // Where a stream without events began is known to the browser alone.
    const unknown = this.#opened && this.#id === '';
    this.close();
    if (unknown) this.#receiver.event(gap('unknown', null));
    this.#next = new Fetched(this.#plan, this.#receiver, this.#id);
    this.#next.start();
  }
}
