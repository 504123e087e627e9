// AbortController and AbortSignal of the DOM standard.
(function (native, realm) {
  'use strict';

  const secret = Symbol();

  class AbortSignal extends EventTarget {
    #aborted = false;
    #reason = undefined;
    #steps = new Set();

    constructor(key = undefined) {
      if (key !== secret) throw new TypeError('Illegal constructor');
      super();
    }

    static {
      realm.abort = {
        create: () => new AbortSignal(secret),
        signal: (signal, reason) => signal.#abort(reason),
        // Runs `step` when the signal is aborted; what is returned takes it back.
        onAbort: (signal, step) => {
          signal.#steps.add(step);
          return () => signal.#steps.delete(step);
        },
      };
    }

    static abort(reason = undefined) {
      const signal = new AbortSignal(secret);
      signal.#aborted = true;
      signal.#reason = reason === undefined ? aborted() : reason;
      return signal;
    }

    static timeout(milliseconds) {
      realm.need(arguments, 1, 'AbortSignal.timeout');
      const signal = new AbortSignal(secret);
      const reason = () => new DOMException('the time is over', 'TimeoutError');
      setTimeout(() => signal.#abort(reason()), realm.count(milliseconds));
      return signal;
    }

    static any(signals) {
      realm.need(arguments, 1, 'AbortSignal.any');
      const all = [...signals];
      const result = new AbortSignal(secret);
      const done = all.find((signal) => signal.aborted);
      if (done) return AbortSignal.abort(done.reason);
      for (const signal of all) signal.#steps.add(() => result.#abort(signal.reason));
      return result;
    }

    get aborted() { return this.#aborted; }
    get reason() { return this.#reason; }

    throwIfAborted() {
      if (this.#aborted) throw this.#reason;
    }

    #abort(reason) {
      if (this.#aborted) return;
      this.#aborted = true;
      this.#reason = reason === undefined ? aborted() : reason;
      const steps = [...this.#steps];
      this.#steps.clear();
      for (const step of steps) step();
      realm.events.fire(this, new Event('abort'));
    }
  }

  class AbortController {
    #signal = realm.abort.create();

    get signal() { return this.#signal; }

    abort(reason = undefined) {
      realm.abort.signal(this.#signal, reason);
    }
  }

  function aborted() {
    return new DOMException('aborted', 'AbortError');
  }

  realm.handlers(AbortSignal.prototype, ['abort']);
  realm.expose(AbortSignal);
  realm.expose(AbortController);
})
