// TransformStream of the Streams standard: a writable side whose sink feeds
// the readable side.
(function (native, realm) {
  'use strict';

  const secret = Symbol();

  class TransformStreamDefaultController {
    #shared;

    constructor(key = undefined, shared = undefined) {
      if (key !== secret) throw new TypeError('Illegal constructor');
      this.#shared = shared;
    }

    get desiredSize() { return this.#shared.readable.desiredSize; }

    enqueue(chunk) {
      this.#shared.enqueue(chunk);
    }

    error(reason = undefined) {
      this.#shared.readable.error(reason);
      this.#shared.writable.error(reason);
      this.#shared.pulled();
    }

    terminate() {
      this.#shared.terminated = true;
      this.#shared.readable.close();
      this.#shared.writable.error(new TypeError('the transform stream is terminated'));
      this.#shared.pulled();
    }
  }

  // What the two sides share: their controllers, and whether the readable one
  // has been asked for more than it was given.
  class Shared {
    readable = null;
    writable = null;
    reason = undefined;
    terminated = false;
    #backpressure = true;
    #waiting = null;

    pulled() {
      this.#backpressure = false;
      this.#waiting?.resolve();
      this.#waiting = null;
    }

    async wanted() {
      if (this.#backpressure) await (this.#waiting ??= realm.deferred()).promise;
    }

    // If more is wanted still, enqueue() pulls at once.
    enqueue(chunk) {
      this.#backpressure = true;
      this.readable.enqueue(chunk);
    }
  }

  class TransformStream {
    #readable;
    #writable;

    constructor(transformer = {}, writableStrategy = {}, readableStrategy = {}) {
      transformer ??= {};
      if (transformer.readableType !== undefined || transformer.writableType !== undefined) {
        throw new RangeError('TransformStream: no such type');
      }
      [this.#readable, this.#writable] = build(transformer, writableStrategy,
        { highWaterMark: 0, ...readableStrategy });
    }

    get readable() { return this.#readable; }
    get writable() { return this.#writable; }
  }

  function build(transformer, writableStrategy, readableStrategy) {
    const [start, transform, flush, cancel] = ['start', 'transform', 'flush', 'cancel'].map(
      (name) => realm.method(transformer, name));
    const shared = new Shared();
    const controller = new TransformStreamDefaultController(secret, shared);
    const started = realm.deferred();
    const flow = { transformer, shared, controller, transform, flush, cancel };

    const readable = new ReadableStream({
      start(side) {
        shared.readable = side;
        return started.promise;
      },
      pull() {
        shared.pulled();
      },
      async cancel(reason) {
        shared.reason = reason;
        await realm.attempt(transformer, cancel, reason);
        shared.writable.error(reason);
        shared.pulled();
      },
    }, readableStrategy);
    const sink = sinkOf(flow, readable);
    const writable = new WritableStream({
      start(side) {
        shared.writable = side;
        return started.promise;
      },
      ...sink,
    }, writableStrategy);

    // What start() throws, the constructor throws.
    started.resolve(start?.call(transformer, controller));
    return [readable, writable];
  }

  function sinkOf({ transformer, shared, controller, transform, flush, cancel }, readable) {
    const failing = async (step) => {
      try {
        await step();
      } catch (error) {
        shared.readable.error(error);
        throw error;
      }
    };
    return {
      async write(chunk) {
        await shared.wanted();
        if (realm.streamState(readable) !== 'readable') {
          throw realm.streamError(readable) ?? shared.reason;
        }
        await failing(async () => {
          if (transform) await transform.call(transformer, chunk, controller);
          else shared.enqueue(chunk);
        });
      },
      async close() {
        await failing(() => realm.attempt(transformer, flush, controller));
        const state = realm.streamState(readable);
        if (state === 'errored') throw realm.streamError(readable);
        // It may have been terminated, or canceled, meanwhile.
        if (state === 'readable' && !shared.terminated) shared.readable.close();
      },
      async abort(reason) {
        await realm.attempt(transformer, cancel, reason);
        shared.readable.error(reason);
      },
    };
  }

  realm.expose(TransformStream);
  realm.expose(TransformStreamDefaultController);
})
