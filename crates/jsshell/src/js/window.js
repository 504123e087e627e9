// The global object as a page's scripts know it.
(function (native, realm) {
  'use strict';

  const secret = Symbol();
  const unsupported = (what) => new DOMException(`there is no ${what} here`, 'NotSupportedError');

  class Location {
    #url;

    constructor(key = undefined, url = '') {
      if (key !== secret) throw new TypeError('Illegal constructor');
      this.#url = url;
    }

    get href() { return this.#url; }
    set href(url) { throw unsupported('navigation'); }
    get origin() { return this.#part('origin'); }
    get protocol() { return this.#part('protocol'); }
    get host() { return this.#part('host'); }
    get hostname() { return this.#part('hostname'); }
    get port() { return this.#part('port'); }
    get pathname() { return this.#part('pathname'); }
    get search() { return this.#part('search'); }
    get hash() { return this.#part('hash'); }

    assign() { throw unsupported('navigation'); }
    replace() { throw unsupported('navigation'); }
    reload() { throw unsupported('navigation'); }
    toString() { return this.#url; }

    #part(name) {
      return native.urlPart(this.#url, name);
    }
  }

  const location = new Location(secret, native.location);
  realm.baseUrl = () => native.location;

  // The little of a document that scripts of pages without one look at.
  class Document extends EventTarget {
    #title = '';
    #domain = location.hostname;

    constructor(key = undefined) {
      if (key !== secret) throw new TypeError('Illegal constructor');
      super();
    }

    get title() { return this.#title; }
    set title(value) { this.#title = realm.string(value); }
    get domain() { return this.#domain; }
    set domain(value) {
      value = realm.string(value);
      if (value !== this.#domain && !this.#domain.endsWith(`.${value}`)) {
        throw new DOMException('not a suffix of the domain', 'SecurityError');
      }
      this.#domain = value;
    }
    get cookie() { return native.cookies(); }
    set cookie(value) { native.setCookie(realm.usvString(value)); }
    get readyState() { return loaded ? 'complete' : 'loading'; }
    get location() { return location; }
    get defaultView() { return globalThis; }
    get URL() { return location.href; }
    get documentURI() { return location.href; }
    get baseURI() { return location.href; }
    get body() { return null; }
    get documentElement() { return null; }
    getElementById() { return null; }
    querySelector() { return null; }
    querySelectorAll() { return []; }

    getElementsByTagName(name) {
      return name === 'title' && this.#title ? [{ firstChild: { data: this.#title } }] : [];
    }
  }

  class Window extends EventTarget {
    constructor() {
      throw new TypeError('Illegal constructor');
    }
  }

  realm.expose(Location);
  realm.expose(Document);
  realm.expose(Window);
  Object.setPrototypeOf(globalThis, Window.prototype);
  realm.events.adopt(globalThis);
  realm.handlers(globalThis, ['load', 'error', 'unhandledrejection', 'rejectionhandled', 'message',
    'pagehide', 'pageshow', 'beforeunload'], (self) => self ?? globalThis);

  const values = {
    window: globalThis,
    self: globalThis,
    parent: globalThis,
    top: globalThis,
    frames: globalThis,
    opener: null,
    location,
    navigator: Object.freeze({ userAgent: 'jsshell', onLine: true, language: 'en' }),
    GLOBAL: {
      isWindow: () => true,
      isWorker: () => false,
      isShadowRealm: () => false,
    },
  };
  realm.functions(values);

  const document = new Document(secret);
  let loaded = false;

  // testharness.js takes a document that it finds for a page to show results in
  // and to time; without one it is content with add_completion_callback(). The
  // tests themselves want one, for its title. So it comes between the two.
  function offerDocument(last) {
    if ('document' in globalThis) return;
    // A harness may be a lexical declaration, of which the global object
    // knows nothing.
    const hasHarness = (0, eval)('typeof test === "function" || typeof async_test === "function"');
    if (last || hasHarness) realm.functions({ document });
  }

  realm.on('evaluated', offerDocument);

  realm.on('load', () => {
    loaded = true;
    realm.events.fireTask(globalThis, new Event('load'));
  });

  realm.on('meta', (name, value) => {
    if (name === 'title') {
      realm.functions({ META_TITLE: value });
      document.title = value;
    }
    if (name === 'script') importScripts(value);
  });

  function importScripts(...urls) {
    const resolved = urls.map((url) => {
      const href = native.parseUrl(realm.usvString(url), native.location);
      if (href === undefined) throw new DOMException('importScripts: no URL', 'SyntaxError');
      return href;
    });
    for (const url of resolved) {
      const text = native.loadScript(url);
      if (text === undefined) {
        throw new DOMException('importScripts: the script could not be loaded', 'NetworkError');
      }
      native.evaluate(text, url);
      offerDocument(false);
    }
  }

  realm.functions({
    importScripts,
    stop() {
      realm.stopSources();
      realm.stopFetches();
    },
    reportError(error) {
      realm.need(arguments, 1, 'reportError');
      realm.report(error);
    },
    queueMicrotask(callback) {
      if (typeof callback !== 'function') throw new TypeError('queueMicrotask: no function');
      Promise.resolve().then(() => {
        try {
          callback();
        } catch (error) {
          realm.report(error);
        }
      });
    },
  });
})
