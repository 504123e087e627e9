// The Encoding standard's TextEncoder and TextDecoder, and both as streams.
// The decoders themselves are `encoding_rs`.
(function (native, realm) {
  'use strict';

  class TextEncoder {
    get encoding() { return 'utf-8'; }

    encode(input = '') {
      return native.encode(realm.usvString(input));
    }

    encodeInto(source, destination) {
      realm.need(arguments, 2, 'encodeInto');
      let read = 0;
      let written = 0;
      for (const character of realm.usvString(source)) {
        const bytes = native.encode(character);
        if (written + bytes.length > destination.length) break;
        destination.set(bytes, written);
        written += bytes.length;
        read += character.length;
      }
      return { read, written };
    }
  }

  class TextDecoder {
    #label;
    #name;
    #fatal;
    #ignoreBOM;
    #decode = null;

    constructor(label = 'utf-8', options) {
      options = realm.dictionary(options, 'TextDecoder');
      this.#label = realm.string(label);
      this.#name = native.encodingName(this.#label);
      if (this.#name === undefined) throw new RangeError('TextDecoder: no such encoding');
      this.#fatal = Boolean(options.fatal);
      this.#ignoreBOM = Boolean(options.ignoreBOM);
    }

    get encoding() { return this.#name; }
    get fatal() { return this.#fatal; }
    get ignoreBOM() { return this.#ignoreBOM; }

    decode(input = new Uint8Array(0), options) {
      const { stream = false } = realm.dictionary(options, 'decode');
      const bytes = realm.bytes(input, 'decode');
      this.#decode ??= native.decoder(this.#label, this.#ignoreBOM);
      const text = this.#decode(bytes, !stream, this.#fatal);
      if (!stream || text === undefined) this.#decode = null;
      if (text === undefined) throw new TypeError('decode: the bytes are ill-formed');
      return text;
    }
  }

  class TextDecoderStream {
    #decoder;
    #transform;

    constructor(label = 'utf-8', options) {
      const decoder = new TextDecoder(label, options);
      const put = (controller, text) => {
        if (text !== '') controller.enqueue(text);
      };
      this.#decoder = decoder;
      this.#transform = new TransformStream({
        transform: (chunk, controller) => put(controller, decoder.decode(chunk, { stream: true })),
        flush: (controller) => put(controller, decoder.decode()),
      });
    }

    get encoding() { return this.#decoder.encoding; }
    get fatal() { return this.#decoder.fatal; }
    get ignoreBOM() { return this.#decoder.ignoreBOM; }
    get readable() { return this.#transform.readable; }
    get writable() { return this.#transform.writable; }
  }

  class TextEncoderStream {
    // A high surrogate whose other half may come with the next chunk.
    #pending = '';
    #transform;

    constructor() {
      const encoder = new TextEncoder();
      this.#transform = new TransformStream({
        transform: (chunk, controller) => {
          const text = this.#pending + realm.string(chunk);
          this.#pending = /[\ud800-\udbff]$/.test(text) ? text.slice(-1) : '';
          const whole = this.#pending ? text.slice(0, -1) : text;
          if (whole !== '') controller.enqueue(encoder.encode(whole));
        },
        flush: (controller) => {
          if (this.#pending) controller.enqueue(encoder.encode(this.#pending));
        },
      });
    }

    get encoding() { return 'utf-8'; }
    get readable() { return this.#transform.readable; }
    get writable() { return this.#transform.writable; }
  }

  for (const type of [TextEncoder, TextDecoder, TextDecoderStream, TextEncoderStream]) {
    realm.expose(type);
  }
})
