// What Web IDL gives to every interface: conversions of arguments, what a
// prototype looks like, constants, event handler attributes.
(function (native, realm) {
  'use strict';

  // DOMString: a Symbol throws, unlike in String().
  realm.string = (value) => `${value}`;

  // USVString: lone surrogates become U+FFFD.
  realm.usvString = (value) => `${value}`.toWellFormed();

  realm.dictionary = (value, where) => {
    if (value === undefined || value === null) return {};
    if (!isObject(value)) throw new TypeError(`${where}: an object is needed`);
    return value;
  };

  realm.isObject = isObject;

  realm.need = (given, count, where) => {
    if (given.length < count) {
      throw new TypeError(`${where}: ${count} argument(s) needed, ${given.length} given`);
    }
  };

  // unsigned long long, clamped to what a Number holds.
  realm.count = (value) => {
    const number = Math.trunc(Number(value));
    return Number.isFinite(number) && number > 0 ? number : 0;
  };

  // The bytes of a BufferSource, not copied.
  realm.bytes = (value, where) => {
    if (ArrayBuffer.isView(value)) {
      return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    }
    if (value instanceof ArrayBuffer) return new Uint8Array(value);
    throw new TypeError(`${where}: bytes are needed (an ArrayBuffer or a view of one)`);
  };

  realm.isBytes = (value) => ArrayBuffer.isView(value) || value instanceof ArrayBuffer;

  // Gives a class the shape of an interface and puts it on the global object.
  realm.expose = (constructor, constants = {}) => {
    const { name, prototype } = constructor;
    shape(prototype, name);
    enumerable(constructor, ['length', 'name', 'prototype']);
    for (const [key, value] of Object.entries(constants)) {
      const property = { value, enumerable: true, writable: false, configurable: false };
      Object.defineProperty(constructor, key, property);
      Object.defineProperty(prototype, key, property);
    }
    realm.hidden(globalThis, name, constructor);
  };

  realm.shape = shape;

  realm.hidden = (object, name, value) =>
    Object.defineProperty(object, name, {
      value,
      writable: true,
      configurable: true,
      enumerable: false,
    });

  // The attributes `on<type>` of a prototype: HTML, "event handlers". `target`
  // finds the object for a `this`, which is undefined for a bare `onload = f`.
  realm.handlers = (prototype, types, target = (self) => self) => {
    for (const type of types) {
      const name = `on${type}`;
      const attribute = {
        get [name]() {
          return realm.events.handler(target(this), type);
        },
        set [name](value) {
          realm.events.setHandler(target(this), type, isObject(value) ? value : null);
        },
      };
      const { get, set } = Object.getOwnPropertyDescriptor(attribute, name);
      Object.defineProperty(prototype, name, { get, set, enumerable: true, configurable: true });
    }
  };

  function isObject(value) {
    return (typeof value === 'object' && value !== null) || typeof value === 'function';
  }

  function shape(prototype, name) {
    enumerable(prototype, ['constructor']);
    Object.defineProperty(prototype, Symbol.toStringTag, {
      value: name,
      writable: false,
      enumerable: false,
      configurable: true,
    });
  }

  function enumerable(object, except) {
    for (const key of Object.getOwnPropertyNames(object)) {
      if (except.includes(key)) continue;
      const property = Object.getOwnPropertyDescriptor(object, key);
      if (property.configurable) Object.defineProperty(object, key, { ...property, enumerable: true });
    }
  }
})
