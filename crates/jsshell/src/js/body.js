// Headers, and what requests and responses share: a body.
(function (native, realm) {
  'use strict';

  const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

  class Headers {
    // Lower-case name to values, in the order they came.
    #lists = new Map();

    constructor(init = undefined) {
      if (init === undefined) return;
      if (!realm.isObject(init)) throw new TypeError('Headers: an object is needed');
      for (const [name, value] of realm.pairsOf(init)) this.append(name, value);
    }

    append(name, value) {
      realm.need(arguments, 2, 'append');
      [name, value] = header(name, value);
      this.#lists.set(name, [...(this.#lists.get(name) ?? []), value]);
    }

    delete(name) {
      realm.need(arguments, 1, 'delete');
      this.#lists.delete(header(name)[0]);
    }

    get(name) {
      realm.need(arguments, 1, 'get');
      return this.#lists.get(header(name)[0])?.join(', ') ?? null;
    }

    getSetCookie() {
      return [...(this.#lists.get('set-cookie') ?? [])];
    }

    has(name) {
      realm.need(arguments, 1, 'has');
      return this.#lists.has(header(name)[0]);
    }

    set(name, value) {
      realm.need(arguments, 2, 'set');
      [name, value] = header(name, value);
      this.#lists.set(name, [value]);
    }

    forEach(callback, self = undefined) {
      realm.need(arguments, 1, 'forEach');
      for (const [name, value] of this) callback.call(self, value, name, this);
    }

    *entries() {
      for (const name of [...this.#lists.keys()].sort()) yield [name, this.get(name)];
    }

    *keys() { for (const [name] of this.entries()) yield name; }
    *values() { for (const [, value] of this.entries()) yield value; }
    [Symbol.iterator]() { return this.entries(); }
  }

  function header(name, value = '') {
    name = realm.string(name);
    value = realm.string(value).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '');
    if (!token.test(name)) throw new TypeError('the name of a header has characters it must not');
    if (/[\0\r\n]|[^\0-\xff]/.test(value)) {
      throw new TypeError('the value of a header has characters it must not');
    }
    return [name.toLowerCase(), value];
  }

  // The bytes of what may be given as a body, and the type it stands for.
  function extract(value) {
    if (typeof value === 'object' && value instanceof URLSearchParams) {
      const type = 'application/x-www-form-urlencoded;charset=UTF-8';
      return { bytes: native.encode(value.toString()), type };
    }
    if (value instanceof Blob) return { bytes: realm.blobBytes(value), type: value.type || null };
    if (realm.isBytes(value)) return { bytes: realm.bytes(value, 'body').slice(), type: null };
    const bytes = native.encode(realm.usvString(value));
    return { bytes, type: 'text/plain;charset=UTF-8' };
  }

  // A stream of `bytes` that the standard makes from a body that is no stream.
  function streamOf(bytes) {
    return new ReadableStream({
      type: 'bytes',
      start(controller) {
        if (bytes.length > 0) controller.enqueue(bytes);
        controller.close();
      },
    });
  }

  class Body {
    #stream = null;
    #used = false;

    static {
      realm.setBody = (object, stream) => { object.#stream = stream; };
    }

    get body() { return this.#stream; }

    // Also when a script reads the stream itself.
    get bodyUsed() {
      return this.#used || (this.#stream?.locked ?? false);
    }

    async bytes() {
      if (this.bodyUsed) throw new TypeError('the body has been read already');
      if (this.#stream === null) return new Uint8Array(0);
      this.#used = true;
      const chunks = [];
      for await (const chunk of this.#stream) chunks.push(realm.bytes(chunk, 'the body'));
      return realm.joined(chunks);
    }

    async blob() {
      const type = this.headers.get('content-type') ?? '';
      return new Blob([await this.bytes()], { type });
    }

    async arrayBuffer() {
      const { buffer } = await this.bytes();
      return buffer;
    }

    async text() {
      return new TextDecoder().decode(await this.bytes());
    }

    async json() {
      return JSON.parse(await this.text());
    }
  }

  realm.Body = Body;
  realm.extractBody = extract;
  realm.streamOf = streamOf;
  realm.isToken = (text) => token.test(text);
  realm.expose(Headers);
  for (const name of ['body', 'bodyUsed', 'bytes', 'blob', 'arrayBuffer', 'text', 'json']) {
    const property = Object.getOwnPropertyDescriptor(Body.prototype, name);
    Object.defineProperty(Body.prototype, name, { ...property, enumerable: true });
  }
})
