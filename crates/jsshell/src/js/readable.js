// ReadableStream of the Streams standard with its default controller. Byte
// streams have the same one: there are no BYOB readers.
(function (native, realm) {
  'use strict';

  const secret = Symbol();

  // Where a stream stands; what the standard calls its internal slots.
  let slots;
  let controllerSlots;

  // A promise whose rejection nobody needs to look at.
  function deferred() {
    const { promise, resolve, reject } = Promise.withResolvers();
    promise.catch(() => {});
    return { promise, resolve, reject };
  }

  realm.deferred = deferred;

  // Calls a method of an underlying source, sink or transformer that may be
  // missing; the result is a promise in any case.
  realm.attempt = async (object, method, ...args) => method?.apply(object, args);

  realm.method = (object, name) => {
    const method = object[name];
    if (method !== undefined && typeof method !== 'function') {
      throw new TypeError(`${name} is no function`);
    }
    return method;
  };

  realm.highWaterMark = ({ highWaterMark }, otherwise) => {
    if (highWaterMark === undefined) return otherwise;
    const mark = Number(highWaterMark);
    if (Number.isNaN(mark) || mark < 0) throw new RangeError('highWaterMark must not be negative');
    return mark;
  };

  class ReadableStreamDefaultController {
    #slots;

    constructor(key = undefined, stream = undefined) {
      if (key !== secret) throw new TypeError('Illegal constructor');
      this.#slots = {
        stream,
        queue: [],
        size: 0,
        closeRequested: false,
        started: false,
        pulling: false,
        pullAgain: false,
      };
    }

    static {
      controllerSlots = (controller) => controller.#slots;
    }

    get desiredSize() { return desiredSize(this.#slots); }

    enqueue(chunk = undefined) {
      if (!accepts(this.#slots)) throw new TypeError('enqueue: the stream is closed or errored');
      enqueue(this.#slots, chunk);
    }

    close() {
      if (!accepts(this.#slots)) throw new TypeError('close: the stream is closed or errored');
      const own = this.#slots;
      own.closeRequested = true;
      if (own.queue.length === 0) closeStream(own.stream);
    }

    error(reason = undefined) {
      errorStream(this.#slots.stream, reason);
    }
  }

  class ReadableByteStreamController extends ReadableStreamDefaultController {
    get byobRequest() { return null; }

    enqueue(chunk) {
      realm.need(arguments, 1, 'enqueue');
      if (!ArrayBuffer.isView(chunk)) throw new TypeError('enqueue: a view of bytes is needed');
      if (chunk.byteLength === 0) throw new TypeError('enqueue: the chunk is empty');
      super.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    }
  }

  function accepts({ stream, closeRequested }) {
    return !closeRequested && slots(stream).state === 'readable';
  }

  function desiredSize({ stream, size, mark }) {
    const { state } = slots(stream);
    if (state === 'errored') return null;
    return state === 'closed' ? 0 : mark - size;
  }

  function enqueue(own, chunk) {
    const { stream } = own;
    const requests = slots(stream).reader?.requests;
    if (requests?.length > 0) {
      requests.shift().resolve({ value: chunk, done: false });
    } else {
      let size;
      try {
        size = Number(own.measure(chunk));
        if (!(size >= 0 && size < Infinity)) throw new RangeError('the size of a chunk is no size');
      } catch (error) {
        errorStream(stream, error);
        throw error;
      }
      own.queue.push({ chunk, size });
      own.size += size;
    }
    pullIfNeeded(own);
  }

  function pullIfNeeded(own) {
    if (!shouldPull(own)) return;
    if (own.pulling) {
      own.pullAgain = true;
      return;
    }
    own.pulling = true;
    own.pull().then(
      () => {
        own.pulling = false;
        if (!own.pullAgain) return;
        own.pullAgain = false;
        pullIfNeeded(own);
      },
      (error) => errorStream(own.stream, error),
    );
  }

  function shouldPull(own) {
    if (!own.started || !accepts(own)) return false;
    return slots(own.stream).reader?.requests.length > 0 || desiredSize(own) > 0;
  }

  function closeStream(stream) {
    const own = slots(stream);
    own.state = 'closed';
    own.reader?.requests.splice(0).forEach((request) =>
      request.resolve({ value: undefined, done: true }));
    own.reader?.closed.resolve();
  }

  function errorStream(stream, reason) {
    const own = slots(stream);
    if (own.state !== 'readable') return;
    own.state = 'errored';
    own.error = reason;
    Object.assign(controllerSlots(own.controller), { queue: [], size: 0 });
    own.reader?.requests.splice(0).forEach((request) => request.reject(reason));
    own.reader?.closed.reject(reason);
  }

  async function cancelStream(stream, reason) {
    const own = slots(stream);
    if (own.state === 'closed') return undefined;
    if (own.state === 'errored') throw own.error;
    closeStream(stream);
    const controller = controllerSlots(own.controller);
    Object.assign(controller, { queue: [], size: 0 });
    await controller.cancel(reason);
    return undefined;
  }

  function read(stream) {
    const own = slots(stream);
    if (own.state === 'errored') return Promise.reject(own.error);
    const controller = controllerSlots(own.controller);
    if (controller.queue.length > 0) {
      const { chunk, size } = controller.queue.shift();
      controller.size = Math.max(0, controller.size - size);
      if (controller.closeRequested && controller.queue.length === 0) closeStream(stream);
      else pullIfNeeded(controller);
      return Promise.resolve({ value: chunk, done: false });
    }
    if (own.state === 'closed') return Promise.resolve({ value: undefined, done: true });
    const request = deferred();
    own.reader.requests.push(request);
    pullIfNeeded(controller);
    return request.promise;
  }

  function setUp(stream, source, { mark, measure, bytes }) {
    const controller = bytes
      ? new ReadableByteStreamController(secret, stream)
      : new ReadableStreamDefaultController(secret, stream);
    slots(stream).controller = controller;
    const own = controllerSlots(controller);
    const [start, pull, cancel] = ['start', 'pull', 'cancel'].map((name) =>
      realm.method(source, name));
    Object.assign(own, {
      mark,
      measure,
      pull: () => realm.attempt(source, pull, controller),
      cancel: (reason) => realm.attempt(source, cancel, reason),
    });
    // What start() throws, the constructor throws.
    const started = start?.call(source, controller);
    Promise.resolve(started).then(
      () => {
        own.started = true;
        pullIfNeeded(own);
      },
      (error) => errorStream(stream, error),
    );
  }

  class ReadableStream {
    #slots = { state: 'readable', error: undefined, reader: null, controller: null };

    constructor(source = {}, strategy = {}) {
      if (!realm.isObject(source)) throw new TypeError('ReadableStream: the source is no object');
      strategy = realm.dictionary(strategy, 'ReadableStream');
      const { type } = source;
      if (type !== undefined && realm.string(type) !== 'bytes') {
        throw new TypeError('ReadableStream: no such type');
      }
      const bytes = type !== undefined;
      const mark = realm.highWaterMark(strategy, bytes ? 0 : 1);
      const own = bytes ? (chunk) => chunk.byteLength : () => 1;
      const measure = realm.method(strategy, 'size') ?? own;
      setUp(this, source, { mark, measure, bytes });
    }

    static {
      slots = (stream) => stream.#slots;
    }

    static from(iterable) {
      realm.need(arguments, 1, 'from');
      const method = iterable[Symbol.asyncIterator] ?? iterable[Symbol.iterator];
      if (typeof method !== 'function') throw new TypeError('from: not iterable');
      const iterator = method.call(iterable);
      return new ReadableStream({
        async pull(controller) {
          const { value, done } = await iterator.next();
          if (done) controller.close();
          else controller.enqueue(await value);
        },
        async cancel(reason) {
          await iterator.return?.(reason);
        },
      }, { highWaterMark: 0 });
    }

    get locked() { return this.#slots.reader !== null; }

    cancel(reason = undefined) {
      if (this.locked) return Promise.reject(new TypeError('cancel: the stream is locked'));
      return cancelStream(this, reason);
    }

    getReader(options = undefined) {
      const { mode } = realm.dictionary(options, 'getReader');
      if (mode !== undefined) throw new TypeError('getReader: there are no readers of this mode');
      return new ReadableStreamDefaultReader(this);
    }

    pipeThrough(transform, options = undefined) {
      realm.need(arguments, 1, 'pipeThrough');
      const { readable, writable } = transform;
      if (!(readable instanceof ReadableStream) || !(writable instanceof WritableStream)) {
        throw new TypeError('pipeThrough: a readable and a writable stream are needed');
      }
      if (this.locked || writable.locked) throw new TypeError('pipeThrough: a stream is locked');
      realm.pipe(this, writable, options).catch(() => {});
      return readable;
    }

    pipeTo(destination, options = undefined) {
      if (!(destination instanceof WritableStream)) {
        return Promise.reject(new TypeError('pipeTo: a writable stream is needed'));
      }
      if (this.locked || destination.locked) {
        return Promise.reject(new TypeError('pipeTo: a stream is locked'));
      }
      return realm.pipe(this, destination, options);
    }

    tee() {
      return tee(this);
    }

    async *values({ preventCancel = false } = {}) {
      const reader = this.getReader();
      let ended = false;
      try {
        for (;;) {
          const { value, done } = await reader.read().catch((error) => {
            ended = true;
            throw error;
          });
          if (done) {
            ended = true;
            return;
          }
          yield value;
        }
      } finally {
        if (!ended && !preventCancel) await reader.cancel();
        reader.releaseLock();
      }
    }

    [Symbol.asyncIterator](options) {
      return this.values(options);
    }
  }

  class ReadableStreamDefaultReader {
    #stream;
    #own = { requests: [], closed: deferred() };

    constructor(stream) {
      realm.need(arguments, 1, 'ReadableStreamDefaultReader');
      const own = slots(stream);
      if (own.reader !== null) throw new TypeError('getReader: the stream is locked');
      this.#stream = stream;
      own.reader = this.#own;
      if (own.state === 'closed') this.#own.closed.resolve();
      if (own.state === 'errored') this.#own.closed.reject(own.error);
    }

    get closed() { return this.#own.closed.promise; }

    read() {
      if (this.#stream === null) return Promise.reject(new TypeError('read: the lock is released'));
      return read(this.#stream);
    }

    cancel(reason = undefined) {
      if (this.#stream === null) {
        return Promise.reject(new TypeError('cancel: the lock is released'));
      }
      return cancelStream(this.#stream, reason);
    }

    releaseLock() {
      if (this.#stream === null) return;
      const reason = new TypeError('the lock is released');
      this.#own.closed.reject(reason);
      const { promise, reject } = deferred();
      reject(reason);
      if (slots(this.#stream).state !== 'readable') this.#own.closed = { promise };
      for (const request of this.#own.requests.splice(0)) request.reject(reason);
      slots(this.#stream).reader = null;
      this.#stream = null;
    }
  }

  function tee(stream) {
    const reader = stream.getReader();
    const branches = [];
    const canceled = [false, false];
    const reasons = [undefined, undefined];
    const done = deferred();
    let reading = null;
    async function next() {
      const { value, done: end } = await reader.read();
      reading = null;
      branches.forEach((controller, at) => {
        if (canceled[at]) return;
        if (end) controller.close();
        else controller.enqueue(value);
      });
      if (end) done.resolve();
    }
    const branch = (at) => new ReadableStream({
      start(controller) { branches[at] = controller; },
      pull() { return (reading ??= next()); },
      cancel(reason) {
        canceled[at] = true;
        reasons[at] = reason;
        if (canceled[1 - at]) done.resolve(reader.cancel([...reasons]));
        return done.promise;
      },
    }, { highWaterMark: 0 });
    const both = [branch(0), branch(1)];
    reader.closed.catch((error) => {
      for (const controller of branches) controller.error(error);
      done.resolve();
    });
    return both;
  }

  class CountQueuingStrategy {
    #mark;
    constructor(init) { this.#mark = Number(realm.dictionary(init, 'strategy').highWaterMark); }
    get highWaterMark() { return this.#mark; }
    get size() { return () => 1; }
  }

  class ByteLengthQueuingStrategy {
    #mark;
    constructor(init) { this.#mark = Number(realm.dictionary(init, 'strategy').highWaterMark); }
    get highWaterMark() { return this.#mark; }
    get size() { return (chunk) => chunk.byteLength; }
  }

  for (const type of [ReadableStream, ReadableStreamDefaultReader, ReadableStreamDefaultController,
    ReadableByteStreamController, CountQueuingStrategy, ByteLengthQueuingStrategy]) {
    realm.expose(type);
  }

  realm.streamState = (stream) => slots(stream).state;
  realm.streamError = (stream) => slots(stream).error;
})
