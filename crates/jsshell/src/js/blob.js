// Blob of the File API.
(function (native, realm) {
  'use strict';

  class Blob {
    #bytes;
    #type;

    constructor(parts = [], options = undefined) {
      if (!realm.isObject(parts) || !(Symbol.iterator in parts)) {
        throw new TypeError('Blob: a sequence of parts is needed');
      }
      const { type = '' } = realm.dictionary(options, 'Blob');
      this.#bytes = joined([...parts].map(bytesOf));
      this.#type = /[^\x20-\x7e]/.test(type) ? '' : realm.string(type).toLowerCase();
    }

    static {
      realm.blobBytes = (blob) => blob.#bytes;
    }

    get size() { return this.#bytes.length; }
    get type() { return this.#type; }

    slice(start = 0, end = this.size, type = '') {
      return new Blob([this.#bytes.slice(start, end)], { type });
    }

    stream() {
      return realm.streamOf(this.#bytes.slice());
    }

    async text() {
      return new TextDecoder().decode(this.#bytes);
    }

    async bytes() {
      return this.#bytes.slice();
    }

    async arrayBuffer() {
      const { buffer } = this.#bytes.slice();
      return buffer;
    }
  }

  function bytesOf(part) {
    if (part instanceof Blob) return realm.blobBytes(part);
    return realm.isBytes(part) ? realm.bytes(part) : native.encode(realm.usvString(part));
  }

  function joined(chunks) {
    const all = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  realm.joined = joined;
  realm.expose(Blob);
})
