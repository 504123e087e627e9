// WritableStream of the Streams standard, and the pipe.
(function (native, realm) {
  'use strict';

  const secret = Symbol();
  const { deferred } = realm;
  let slots;

  class WritableStreamDefaultController {
    #stream;
    #abort = new AbortController();

    constructor(key = undefined, stream = undefined) {
      if (key !== secret) throw new TypeError('Illegal constructor');
      this.#stream = stream;
    }

    get signal() { return this.#abort.signal; }

    error(reason = undefined) {
      if (slots(this.#stream).state === 'writable') startErroring(this.#stream, reason);
    }

    static {
      realm.abortWriting = (controller, reason) => controller.#abort.abort(reason);
    }
  }

  class WritableStream {
    #slots = {
      state: 'writable',
      error: undefined,
      writer: null,
      queue: [],
      size: 0,
      started: false,
      // The write or close that the sink is busy with.
      busy: false,
      closing: null,
      aborting: null,
      backpressure: false,
    };

    constructor(sink = {}, strategy = {}) {
      if (!realm.isObject(sink)) throw new TypeError('WritableStream: the sink is no object');
      if (sink.type !== undefined) throw new RangeError('WritableStream: no such type');
      strategy = realm.dictionary(strategy, 'WritableStream');
      setUp(this, sink, strategy);
    }

    static {
      slots = (stream) => stream.#slots;
    }

    get locked() { return this.#slots.writer !== null; }

    abort(reason = undefined) {
      if (this.locked) return Promise.reject(new TypeError('abort: the stream is locked'));
      return abort(this, reason);
    }

    close() {
      if (this.locked) return Promise.reject(new TypeError('close: the stream is locked'));
      return close(this);
    }

    getWriter() {
      return new WritableStreamDefaultWriter(this);
    }
  }

  function setUp(stream, sink, strategy) {
    const own = slots(stream);
    const controller = new WritableStreamDefaultController(secret, stream);
    const [start, write, end, abortSink] = ['start', 'write', 'close', 'abort'].map((name) =>
      realm.method(sink, name));
    Object.assign(own, {
      controller,
      mark: realm.highWaterMark(strategy, 1),
      measure: realm.method(strategy, 'size') ?? (() => 1),
      write: (chunk) => realm.attempt(sink, write, chunk, controller),
      end: () => realm.attempt(sink, end),
      abortSink: (reason) => realm.attempt(sink, abortSink, reason),
    });
    updateBackpressure(own);
    const started = start?.call(sink, controller);
    Promise.resolve(started).then(
      () => {
        own.started = true;
        advance(stream);
      },
      (error) => {
        own.started = true;
        startErroring(stream, error);
      },
    );
  }

  // Gives the sink what waits, one thing at a time.
  function advance(stream) {
    const own = slots(stream);
    if (!own.started || own.busy) return;
    if (own.state === 'erroring') {
      finishErroring(stream);
      return;
    }
    if (own.state !== 'writable') return;
    if (own.queue.length > 0) {
      const entry = own.queue[0];
      own.busy = true;
      own.write(entry.chunk).then(
        () => {
          own.queue.shift();
          own.size -= entry.size;
          own.busy = false;
          if (own.state === 'writable') updateBackpressure(own);
          entry.done.resolve();
          advance(stream);
        },
        (error) => {
          own.queue.shift();
          own.busy = false;
          entry.done.reject(error);
          startErroring(stream, error);
        },
      );
    } else if (own.closing) {
      finishClose(stream);
    }
  }

  function finishClose(stream) {
    const own = slots(stream);
    own.busy = true;
    own.end().then(
      () => {
        own.busy = false;
        own.state = 'closed';
        own.aborting?.done.resolve();
        own.closing.resolve();
        own.writer?.closed.resolve();
        own.writer?.ready.resolve();
      },
      (error) => {
        own.busy = false;
        own.closing.reject(error);
        startErroring(stream, error);
      },
    );
  }

  function startErroring(stream, reason) {
    const own = slots(stream);
    if (own.state === 'writable') {
      own.state = 'erroring';
      own.error = reason;
      if (own.writer) renewReady(own, reason);
    }
    if (!own.busy && own.started) finishErroring(stream);
  }

  function finishErroring(stream) {
    const own = slots(stream);
    if (own.state !== 'erroring') return;
    own.state = 'errored';
    for (const entry of own.queue.splice(0)) entry.done.reject(own.error);
    own.size = 0;
    const settle = () => {
      own.closing?.reject(own.error);
      own.writer?.closed.reject(own.error);
    };
    if (!own.aborting) {
      settle();
      return;
    }
    own.abortSink(own.aborting.reason).then(own.aborting.done.resolve, own.aborting.done.reject);
    own.aborting.done.promise.then(settle, settle);
  }

  function renewReady(own, reason) {
    own.writer.ready.reject(reason);
    const { promise, reject, resolve } = deferred();
    reject(reason);
    own.writer.ready = { promise, reject, resolve };
  }

  function updateBackpressure(own) {
    const backpressure = own.mark - own.size <= 0 && !own.closing;
    if (backpressure !== own.backpressure && own.writer) {
      if (backpressure) own.writer.ready = deferred();
      else own.writer.ready.resolve();
    }
    own.backpressure = backpressure;
  }

  function write(stream, chunk) {
    const own = slots(stream);
    let size;
    try {
      size = Number(own.measure(chunk));
      if (!(size >= 0 && size < Infinity)) throw new RangeError('the size of a chunk is no size');
    } catch (error) {
      startErroring(stream, error);
      return Promise.reject(error);
    }
    if (own.state === 'errored' || own.state === 'erroring') return Promise.reject(own.error);
    if (own.closing || own.state === 'closed') {
      return Promise.reject(new TypeError('write: the stream is closed'));
    }
    const done = deferred();
    own.queue.push({ chunk, size, done });
    own.size += size;
    updateBackpressure(own);
    advance(stream);
    return done.promise;
  }

  function close(stream) {
    const own = slots(stream);
    if (own.state === 'closed' || own.state === 'errored' || own.closing) {
      return Promise.reject(new TypeError('close: the stream is closed or errored'));
    }
    own.closing = deferred();
    if (own.backpressure && own.state === 'writable') own.writer?.ready.resolve();
    advance(stream);
    return own.closing.promise;
  }

  function abort(stream, reason) {
    const own = slots(stream);
    if (own.state === 'closed' || own.state === 'errored') return Promise.resolve();
    realm.abortWriting(own.controller, reason);
    if (own.aborting) return own.aborting.done.promise;
    const wasErroring = own.state === 'erroring';
    own.aborting = { done: deferred(), reason: wasErroring ? undefined : reason };
    const { promise } = own.aborting.done;
    if (!wasErroring) startErroring(stream, reason);
    return promise;
  }

  class WritableStreamDefaultWriter {
    #stream;
    #own = { closed: deferred(), ready: deferred() };

    constructor(stream) {
      realm.need(arguments, 1, 'WritableStreamDefaultWriter');
      const own = slots(stream);
      if (own.writer !== null) throw new TypeError('getWriter: the stream is locked');
      this.#stream = stream;
      own.writer = this.#own;
      if (own.state === 'closed') this.#own.closed.resolve();
      if (own.state === 'errored') this.#own.closed.reject(own.error);
      if (own.state === 'errored' || own.state === 'erroring') this.#own.ready.reject(own.error);
      else if (own.state === 'closed' || !own.backpressure) this.#own.ready.resolve();
    }

    get closed() { return this.#own.closed.promise; }
    get ready() { return this.#own.ready.promise; }

    get desiredSize() {
      const { state, mark, size } = this.#slots('desiredSize');
      if (state === 'errored' || state === 'erroring') return null;
      return state === 'closed' ? 0 : mark - size;
    }

    async write(chunk = undefined) {
      this.#slots('write');
      return write(this.#stream, chunk);
    }

    async close() {
      this.#slots('close');
      return close(this.#stream);
    }

    async abort(reason = undefined) {
      this.#slots('abort');
      return abort(this.#stream, reason);
    }

    releaseLock() {
      if (this.#stream === null) return;
      const reason = new TypeError('the lock is released');
      for (const name of ['closed', 'ready']) {
        this.#own[name].reject(reason);
        const other = deferred();
        other.reject(reason);
        this.#own[name] = other;
      }
      slots(this.#stream).writer = null;
      this.#stream = null;
    }

    #slots(where) {
      if (this.#stream === null) throw new TypeError(`${where}: the lock is released`);
      return slots(this.#stream);
    }
  }

  realm.pipe = async (source, destination, options) => {
    const { preventAbort, preventCancel, preventClose, signal } =
      realm.dictionary(options, 'pipeTo');
    const reader = source.getReader();
    const writer = destination.getWriter();
    const stopped = deferred();
    const forget = signal && realm.abort.onAbort(signal, () => stopped.reject(signal.reason));
    if (signal?.aborted) stopped.reject(signal.reason);
    const closed = async () => {
      await writer.closed;
      throw new TypeError('pipeTo: the destination is closed');
    };
    // What the destination says, and the signal, interrupts waiting for a chunk.
    const broken = Promise.race([stopped.promise, closed()]);
    broken.catch(() => {});
    try {
      for (;;) {
        await Promise.race([writer.ready, broken]);
        const { value, done } = await Promise.race([reader.read(), broken]);
        if (done) break;
        writer.write(value).catch(() => {});
      }
      if (!preventClose) await writer.close();
      return undefined;
    } catch (error) {
      const sourceFailed = realm.streamState(source) === 'errored';
      const both = [];
      if (!preventAbort && (sourceFailed || signal?.aborted)) both.push(writer.abort(error));
      if (!preventCancel && !sourceFailed) both.push(reader.cancel(error));
      await Promise.allSettled(both);
      throw error;
    } finally {
      forget?.();
      reader.releaseLock();
      writer.releaseLock();
    }
  };

  for (const type of [WritableStream, WritableStreamDefaultWriter,
    WritableStreamDefaultController]) {
    realm.expose(type);
  }
})
