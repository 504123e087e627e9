// Request, Response and fetch(). What a page may fetch, and the network, are
// the business of net/fetch.rs.
(function (native, realm) {
  'use strict';

  const secret = Symbol();
  const modes = ['cors', 'no-cors', 'same-origin'];
  const credentialModes = ['same-origin', 'include', 'omit'];
  const redirects = ['follow', 'error', 'manual'];
  const caches = ['default', 'no-store', 'reload', 'no-cache', 'force-cache', 'only-if-cached'];

  let parts;

  class Request extends realm.Body {
    #own;

    constructor(input, init = undefined) {
      realm.need(arguments, 1, 'Request');
      super();
      init = realm.dictionary(init, 'Request');
      const from = input instanceof Request ? input.#own : defaults(input);
      this.#own = {
        ...from,
        method: init.method === undefined ? from.method : method(init.method),
        mode: choice(init.mode, modes, from.mode, 'mode'),
        credentials: choice(init.credentials, credentialModes, from.credentials, 'credentials'),
        redirect: choice(init.redirect, redirects, from.redirect, 'redirect'),
        cache: choice(init.cache, caches, from.cache, 'cache'),
        headers: new Headers(init.headers ?? from.headers),
        signal: init.signal ?? from.signal,
      };
      this.#setBody(init.body ?? null, from.bytes);
    }

    static {
      parts = (request) => request.#own;
    }

    #setBody(body, inherited) {
      const own = this.#own;
      own.bytes = inherited;
      if (body !== null) {
        if (['GET', 'HEAD'].includes(own.method)) {
          throw new TypeError(`Request: ${own.method} has no body`);
        }
        const { bytes, type } = realm.extractBody(body);
        own.bytes = bytes;
        if (type && !own.headers.has('content-type')) own.headers.set('content-type', type);
      }
      if (own.bytes !== null) realm.setBody(this, realm.streamOf(own.bytes.slice()));
    }

    get url() { return this.#own.url; }
    get method() { return this.#own.method; }
    get headers() { return this.#own.headers; }
    get mode() { return this.#own.mode; }
    get credentials() { return this.#own.credentials; }
    get redirect() { return this.#own.redirect; }
    get cache() { return this.#own.cache; }
    get signal() { return this.#own.signal; }

    clone() {
      return new Request(this);
    }
  }

  function defaults(input) {
    const text = realm.usvString(input);
    const url = native.parseUrl(text, realm.baseUrl());
    if (url === undefined) throw new TypeError('Request: the URL cannot be parsed');
    if (native.urlPart(url, 'username') || native.urlPart(url, 'password')) {
      throw new TypeError('Request: the URL has credentials');
    }
    return {
      url,
      method: 'GET',
      mode: 'cors',
      credentials: 'same-origin',
      redirect: 'follow',
      cache: 'default',
      headers: undefined,
      signal: new AbortController().signal,
      bytes: null,
    };
  }

  function method(value) {
    const text = realm.string(value);
    const upper = text.toUpperCase();
    if (!realm.isToken(text)) throw new TypeError('Request: the method is no token');
    if (['CONNECT', 'TRACE', 'TRACK'].includes(upper)) {
      throw new TypeError('Request: the method is forbidden');
    }
    const known = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'];
    return known.includes(upper) ? upper : text;
  }

  function choice(value, all, otherwise, name) {
    if (value === undefined) return otherwise;
    const text = realm.string(value);
    if (!all.includes(text)) throw new TypeError(`Request: no such ${name}`);
    return text;
  }

  class Response extends realm.Body {
    #own;

    constructor(body = null, init = {}) {
      super();
      const { status = 200, statusText = '', headers } = realm.dictionary(init, 'Response');
      if (!(status >= 200 && status <= 599)) throw new RangeError('Response: no such status');
      this.#own = {
        type: 'default',
        url: '',
        redirected: false,
        status: Math.trunc(status),
        statusText: realm.string(statusText),
        headers: new Headers(headers),
      };
      if (body === null || body === undefined) return;
      if ([204, 205, 304].includes(this.status)) {
        throw new TypeError('Response: a response of this status has no body');
      }
      if (body instanceof ReadableStream) {
        realm.setBody(this, body);
      } else {
        const { bytes, type } = realm.extractBody(body);
        realm.setBody(this, realm.streamOf(bytes));
        if (type && !this.headers.has('content-type')) this.headers.set('content-type', type);
      }
    }

    static {
      realm.response = (own, stream) => {
        const response = new Response();
        response.#own = own;
        realm.setBody(response, stream);
        return response;
      };
    }

    static error() {
      const headers = new Headers();
      const own = { type: 'error', url: '', redirected: false, status: 0, statusText: '', headers };
      return realm.response(own, null);
    }

    static json(data, init = {}) {
      const response = new Response(JSON.stringify(data), init);
      response.headers.set('content-type', 'application/json');
      return response;
    }

    get type() { return this.#own.type; }
    get url() { return this.#own.url; }
    get redirected() { return this.#own.redirected; }
    get status() { return this.#own.status; }
    get ok() { return this.status >= 200 && this.status <= 299; }
    get statusText() { return this.#own.statusText; }
    get headers() { return this.#own.headers; }

    clone() {
      if (this.bodyUsed) throw new TypeError('clone: the body has been read already');
      const own = { ...this.#own, headers: new Headers(this.#own.headers) };
      if (this.body === null) return realm.response(own, null);
      const [mine, other] = this.body.tee();
      realm.setBody(this, mine);
      return realm.response(own, other);
    }
  }

  // What is on its way, by the number that net/fetch.rs answers with.
  const fetches = new Map();
  let last = 0;

  async function fetch(input, init = undefined) {
    realm.need(arguments, 1, 'fetch');
    const request = new Request(input, init);
    const { url, headers, signal, bytes, ...own } = parts(request);
    signal.throwIfAborted();
    last += 1;
    const id = last;
    const head = realm.deferred();
    const network = native.fetch(id, { ...own, url, headers: [...headers], body: bytes });
    fetches.set(id, { head, network, pull: null, controller: null });
    const forget = realm.abort.onAbort(signal, () => fail(id, signal.reason));
    try {
      return respond(id, await head.promise);
    } finally {
      if (!fetches.has(id)) forget();
    }
  }

  function respond(id, { headers, hasBody, ...own }) {
    const entry = fetches.get(id);
    if (!hasBody) {
      fetches.delete(id);
      return realm.response({ ...own, headers: new Headers(headers) }, null);
    }
    const stream = new ReadableStream({
      type: 'bytes',
      start(controller) { entry.controller = controller; },
      pull() {
        entry.pull = realm.deferred();
        entry.network.pull();
        return entry.pull.promise;
      },
      cancel() {
        fetches.delete(id);
        entry.network.abort();
      },
    });
    return realm.response({ ...own, headers: new Headers(headers) }, stream);
  }

  function fail(id, reason) {
    const entry = fetches.get(id);
    if (!entry) return;
    fetches.delete(id);
    entry.network.abort();
    entry.head.reject(reason);
    entry.controller?.error(reason);
    entry.pull?.resolve();
  }

  realm.on('fetch-head', (id, head) => fetches.get(id)?.head.resolve(head));

  realm.on('fetch-chunk', (id, chunk) => {
    const entry = fetches.get(id);
    if (!entry) return;
    if (chunk === undefined) {
      fetches.delete(id);
      entry.controller.close();
    } else {
      entry.controller.enqueue(chunk);
    }
    entry.pull.resolve();
  });

  realm.on('fetch-error', (id, text) => fail(id, new TypeError(text)));

  realm.stopFetches = () => {
    for (const id of [...fetches.keys()]) fail(id, new TypeError('fetch: the page was stopped'));
  };

  realm.expose(Request);
  realm.expose(Response);
  realm.functions({ fetch });
})
