// The EventSource of the realm: the interface of the HTML standard around the
// object of tidings-eventsource, which decides everything (net/eventsource.rs).
(function (native, realm) {
  'use strict';

  const secret = Symbol();

  // By number, and weakly: who drops an EventSource that nobody listens to
  // aborts its fetch (A7).
  const sources = new Map();
  // Those that somebody listens to live until they are closed.
  const listened = new Set();
  let last = 0;

  let connectionOf;

  class EventSource extends EventTarget {
    #id;
    #connection;

    constructor(url, init = undefined) {
      realm.need(arguments, 1, 'EventSource');
      super();
      let open = init;
      if (url !== secret) {
        url = realm.usvString(url);
        const { withCredentials = false } = realm.dictionary(init, 'EventSource');
        open = (id) => native.openEventSource(id, url, Boolean(withCredentials));
      }
      last += 1;
      this.#id = last;
      this.#connection = open(last);
      if (this.#connection === undefined) {
        throw new DOMException('EventSource: the URL cannot be parsed', 'SyntaxError');
      }
      sources.set(last, new WeakRef(this));
      realm.events.watch(this, keep);
    }

    static {
      connectionOf = (source) => source.#connection;
    }

    // whatwg/html pull request 12272 (P1).
    static fromReadableStream(stream) {
      realm.need(arguments, 1, 'fromReadableStream');
      if (!(stream instanceof ReadableStream)) {
        throw new TypeError('fromReadableStream: a ReadableStream is needed');
      }
      if (stream.locked) throw new TypeError('fromReadableStream: the stream is locked');
      return new EventSource(secret, (id) => readFrom(id, stream.getReader()));
    }

    get url() { return this.#connection.url; }
    get withCredentials() { return this.#connection.withCredentials; }
    get readyState() { return this.#connection.readyState(); }

    // P1.
    get lastEventId() { return this.#connection.lastEventId(); }
    get reconnectionTime() { return this.#connection.reconnectionTime(); }

    reset() {
      this.#connection.reset();
    }

    close() {
      this.#connection.close();
      forget(this.#id);
    }
  }

  function keep(source) {
    const open = source.readyState !== EventSource.CLOSED;
    if (open && realm.events.hasListeners(source)) listened.add(source);
    else listened.delete(source);
  }

  function forget(id) {
    const source = sources.get(id)?.deref();
    if (source) listened.delete(source);
    sources.delete(id);
  }

  // An event of the stream has a message, `open` and `error` have none (B6).
  realm.on('source-event', (id, type, message) => {
    const source = sources.get(id)?.deref();
    if (!source) return;
    realm.events.fireTask(source, message ? new MessageEvent(type, message) : new Event(type));
  });

  realm.on('source-closed', forget);

  // The chunks of a stream, as the connection asks for them.
  const readers = new Map();

  function readFrom(id, reader) {
    readers.set(id, reader);
    return native.openStreamSource(id);
  }

  realm.on('source-pull', async (id, feed) => {
    const reader = readers.get(id);
    try {
      const { value, done } = await reader.read();
      feed(done ? null : realm.bytes(value, 'fromReadableStream').slice());
      if (done) readers.delete(id);
    } catch {
      // What is no bytes ends the reading, as an error of the stream does.
      feed(undefined);
      readers.delete(id);
      reader.cancel().catch(() => {});
    }
  });

  realm.on('source-cancel', (id) => {
    readers.get(id)?.cancel().catch(() => {});
    readers.delete(id);
  });

  // A fetch that is aborted by anything but close() fails the connection (F).
  realm.stopSources = () => {
    for (const [id, weak] of [...sources]) {
      const source = weak.deref();
      if (!source || source.readyState === EventSource.CLOSED) continue;
      setTimeout(() => {
        if (source.readyState === EventSource.CLOSED) return;
        connectionOf(source).close();
        forget(id);
        realm.events.fire(source, new Event('error'));
      });
    }
  };

  realm.handlers(EventSource.prototype, ['open', 'message', 'error']);
  realm.expose(EventSource, { CONNECTING: 0, OPEN: 1, CLOSED: 2 });
})
