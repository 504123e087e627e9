// URL and URLSearchParams of the URL standard. The parser is Rust's `url`.
(function (native, realm) {
  'use strict';

  let fromUrl;
  let refresh;

  class URLSearchParams {
    #pairs = [];
    #url = null;

    constructor(init = '') {
      if (realm.isObject(init)) {
        this.#pairs = pairsOf(init);
      } else {
        const text = realm.usvString(init);
        this.#pairs = native.parseForm(text.startsWith('?') ? text.slice(1) : text);
      }
    }

    static {
      fromUrl = (url, query) => {
        const params = new URLSearchParams(query);
        params.#url = url;
        return params;
      };
      refresh = (params, query) => {
        params.#pairs = native.parseForm(query.startsWith('?') ? query.slice(1) : query);
      };
    }

    get size() { return this.#pairs.length; }

    append(name, value) {
      realm.need(arguments, 2, 'append');
      this.#pairs.push([realm.usvString(name), realm.usvString(value)]);
      this.#update();
    }

    delete(name, value = undefined) {
      realm.need(arguments, 1, 'delete');
      const matches = matcher(name, value);
      this.#pairs = this.#pairs.filter((pair) => !matches(pair));
      this.#update();
    }

    get(name) {
      realm.need(arguments, 1, 'get');
      return this.#pairs.find(matcher(name))?.[1] ?? null;
    }

    getAll(name) {
      realm.need(arguments, 1, 'getAll');
      return this.#pairs.filter(matcher(name)).map(([, value]) => value);
    }

    has(name, value = undefined) {
      realm.need(arguments, 1, 'has');
      return this.#pairs.some(matcher(name, value));
    }

    set(name, value) {
      realm.need(arguments, 2, 'set');
      const pair = [realm.usvString(name), realm.usvString(value)];
      const first = this.#pairs.findIndex(matcher(name));
      if (first < 0) {
        this.#pairs.push(pair);
      } else {
        const others = this.#pairs.filter((other, at) => at === first || other[0] !== pair[0]);
        this.#pairs = others.map((other) => (other[0] === pair[0] ? pair : other));
      }
      this.#update();
    }

    sort() {
      this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      this.#update();
    }

    forEach(callback, self = undefined) {
      realm.need(arguments, 1, 'forEach');
      for (const [name, value] of this) callback.call(self, value, name, this);
    }

    *entries() { for (const pair of this.#pairs) yield [...pair]; }
    *keys() { for (const [name] of this.#pairs) yield name; }
    *values() { for (const [, value] of this.#pairs) yield value; }
    [Symbol.iterator]() { return this.entries(); }

    toString() {
      return native.serializeForm(this.#pairs);
    }

    #update() {
      this.#url?.(this.toString());
    }
  }

  class URL {
    #href;
    #params;

    constructor(url, base = undefined) {
      realm.need(arguments, 1, 'URL');
      const href = parse(url, base);
      if (href === undefined) throw new TypeError('URL: it cannot be parsed');
      this.#href = href;
      const setQuery = (query) => { this.#set('search', query); };
      this.#params = fromUrl(setQuery, this.search);
    }

    static canParse(url, base = undefined) {
      realm.need(arguments, 1, 'canParse');
      return parse(url, base) !== undefined;
    }

    static parse(url, base = undefined) {
      realm.need(arguments, 1, 'parse');
      return parse(url, base) === undefined ? null : new URL(...arguments);
    }

    get href() { return this.#href; }
    set href(value) {
      const href = parse(value);
      if (href === undefined) throw new TypeError('URL.href: it cannot be parsed');
      this.#href = href;
      refresh(this.#params, this.search);
    }

    get origin() { return this.#get('origin'); }
    get protocol() { return this.#get('protocol'); }
    set protocol(value) { this.#set('protocol', value); }
    get username() { return this.#get('username'); }
    set username(value) { this.#set('username', value); }
    get password() { return this.#get('password'); }
    set password(value) { this.#set('password', value); }
    get host() { return this.#get('host'); }
    set host(value) { this.#set('host', value); }
    get hostname() { return this.#get('hostname'); }
    set hostname(value) { this.#set('hostname', value); }
    get port() { return this.#get('port'); }
    set port(value) { this.#set('port', value); }
    get pathname() { return this.#get('pathname'); }
    set pathname(value) { this.#set('pathname', value); }
    get search() { return this.#get('search'); }
    set search(value) {
      this.#set('search', value);
      refresh(this.#params, this.search);
    }
    get hash() { return this.#get('hash'); }
    set hash(value) { this.#set('hash', value); }

    get searchParams() { return this.#params; }

    toString() { return this.#href; }
    toJSON() { return this.#href; }

    #get(part) {
      return native.urlPart(this.#href, part);
    }

    #set(part, value) {
      this.#href = native.setUrlPart(this.#href, part, realm.usvString(value));
    }
  }

  function parse(url, base) {
    const against = base === undefined ? undefined : realm.usvString(base);
    return native.parseUrl(realm.usvString(url), against);
  }

  function matcher(name, value) {
    name = realm.usvString(name);
    if (value === undefined) return (pair) => pair[0] === name;
    value = realm.usvString(value);
    return (pair) => pair[0] === name && pair[1] === value;
  }

  // A sequence of pairs, or a record.
  function pairsOf(init) {
    const pairs = Symbol.iterator in init ? [...init].map((pair) => [...pair]) : Object.entries(init);
    return pairs.map((pair) => {
      if (pair.length !== 2) throw new TypeError('URLSearchParams: a pair has two members');
      return [realm.usvString(pair[0]), realm.usvString(pair[1])];
    });
  }

  realm.pairsOf = pairsOf;
  realm.expose(URLSearchParams);
  realm.expose(URL);
})
