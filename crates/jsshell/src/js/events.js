// The DOM standard's events and their dispatch, without a tree: a target is
// alone on the path.
(function (native, realm) {
  'use strict';

  let flags;

  class Event {
    #flags;

    constructor(type, init = undefined) {
      realm.need(arguments, 1, 'Event');
      init = realm.dictionary(init, 'Event');
      this.#flags = {
        type: realm.string(type),
        bubbles: Boolean(init.bubbles),
        cancelable: Boolean(init.cancelable),
        composed: Boolean(init.composed),
        canceled: false,
        trusted: false,
        dispatching: false,
        initialized: true,
        passive: false,
        stopped: false,
        stoppedNow: false,
        target: null,
        currentTarget: null,
        phase: 0,
        timeStamp: performance.now(),
      };
      Object.defineProperty(this, 'isTrusted', unforgeable);
    }

    static {
      flags = (event) => event.#flags;
    }

    get type() { return this.#flags.type; }
    get target() { return this.#flags.target; }
    get srcElement() { return this.#flags.target; }
    get currentTarget() { return this.#flags.currentTarget; }
    get eventPhase() { return this.#flags.phase; }
    get bubbles() { return this.#flags.bubbles; }
    get cancelable() { return this.#flags.cancelable; }
    get composed() { return this.#flags.composed; }
    get defaultPrevented() { return this.#flags.canceled; }
    get timeStamp() { return this.#flags.timeStamp; }

    get returnValue() { return !this.#flags.canceled; }
    set returnValue(value) {
      const { canceled } = this.#flags;
      if (!value && !canceled) this.preventDefault();
    }

    get cancelBubble() { return this.#flags.stopped; }
    set cancelBubble(value) { this.#flags.stopped ||= Boolean(value); }

    composedPath() {
      return this.#flags.dispatching ? [this.#flags.target] : [];
    }

    stopPropagation() {
      this.#flags.stopped = true;
    }

    stopImmediatePropagation() {
      this.#flags.stopped = true;
      this.#flags.stoppedNow = true;
    }

    preventDefault() {
      if (this.#flags.cancelable && !this.#flags.passive) this.#flags.canceled = true;
    }

    initEvent(type, bubbles = false, cancelable = false) {
      realm.need(arguments, 1, 'initEvent');
      if (this.#flags.dispatching) return;
      Object.assign(this.#flags, {
        type: realm.string(type),
        bubbles: Boolean(bubbles),
        cancelable: Boolean(cancelable),
        initialized: true,
        canceled: false,
        stopped: false,
        stoppedNow: false,
        trusted: false,
        target: null,
      });
    }
  }

  // isTrusted is "legacy unforgeable": an accessor of each object, so that no
  // prototype can be changed to lie about it.
  const { get } = Object.getOwnPropertyDescriptor(
    { get isTrusted() { return flags(this).trusted; } }, 'isTrusted');
  const unforgeable = { get, set: undefined, enumerable: true, configurable: false };

  class CustomEvent extends Event {
    #detail;

    constructor(type, init = undefined) {
      super(...arguments);
      this.#detail = realm.dictionary(init, 'CustomEvent').detail ?? null;
    }

    get detail() { return this.#detail; }
  }

  // What a MessageEvent says besides what every event does.
  function said({ data = null, lastEventId = '', origin = '', ports = [], source = null }) {
    return {
      data,
      lastEventId: realm.string(lastEventId),
      origin: realm.usvString(origin),
      ports: Object.freeze([...ports]),
      source,
    };
  }

  class MessageEvent extends Event {
    #own;

    constructor(type, init = undefined) {
      super(...arguments);
      this.#own = said(realm.dictionary(init, 'MessageEvent'));
    }

    get data() { return this.#own.data; }
    get origin() { return this.#own.origin; }
    get lastEventId() { return this.#own.lastEventId; }
    get source() { return this.#own.source; }
    get ports() { return this.#own.ports; }

    initMessageEvent(type, bubbles = false, cancelable = false, data = null, origin = '', lastEventId = '',
      source = null, ports = []) {
      realm.need(arguments, 1, 'initMessageEvent');
      if (flags(this).dispatching) return;
      this.initEvent(type, bubbles, cancelable);
      this.#own = said({ data, origin, lastEventId, source, ports });
    }
  }

  class ErrorEvent extends Event {
    #own;

    constructor(type, init = undefined) {
      super(...arguments);
      init = realm.dictionary(init, 'ErrorEvent');
      const { colno = 0, error = undefined, filename = '', lineno = 0, message = '' } = init;
      this.#own = {
        colno: realm.count(colno),
        error,
        filename: realm.usvString(filename),
        lineno: realm.count(lineno),
        message: realm.string(message),
      };
    }

    get message() { return this.#own.message; }
    get filename() { return this.#own.filename; }
    get lineno() { return this.#own.lineno; }
    get colno() { return this.#own.colno; }
    get error() { return this.#own.error; }
  }

  class PromiseRejectionEvent extends Event {
    #own;

    constructor(type, init = undefined) {
      realm.need(arguments, 2, 'PromiseRejectionEvent');
      super(...arguments);
      init = realm.dictionary(init, 'PromiseRejectionEvent');
      if (!('promise' in init)) throw new TypeError('PromiseRejectionEvent: a promise is needed');
      this.#own = { promise: init.promise, reason: init.reason };
    }

    get promise() { return this.#own.promise; }
    get reason() { return this.#own.reason; }
  }

  // Of each target the listeners and the event handlers. Not a private field:
  // the global object is a target too, and no constructor of ours made it.
  const targets = new WeakMap();
  const changed = new WeakMap();

  class EventTarget {
    constructor() {
      adopt(this);
    }

    addEventListener(type, callback, options = undefined) {
      realm.need(arguments, 2, 'addEventListener');
      const self = this ?? globalThis;
      const { listeners } = of(self);
      type = realm.string(type);
      callback = callbackOf(callback, 'addEventListener');
      const { capture, once, passive, signal } = flatten(options);
      if (callback === null || signal?.aborted) return;
      const same = (other) =>
        other.type === type && other.callback === callback && other.capture === capture;
      if (listeners.some(same)) return;
      const listener = { type, callback, capture, once, passive, removed: false };
      listeners.push(listener);
      signal?.addEventListener('abort', () => remove(self, listener), { once: true });
      changed.get(self)?.(self);
    }

    removeEventListener(type, callback, options = undefined) {
      realm.need(arguments, 2, 'removeEventListener');
      const self = this ?? globalThis;
      const { listeners } = of(self);
      type = realm.string(type);
      callback = callbackOf(callback, 'removeEventListener');
      const { capture } = flatten(options);
      const found = listeners.find((other) =>
        other.type === type && other.callback === callback && other.capture === capture);
      if (found) remove(self, found);
    }

    dispatchEvent(event) {
      realm.need(arguments, 1, 'dispatchEvent');
      const self = this ?? globalThis;
      of(self);
      const own = flagsOf(event);
      if (own.dispatching || !own.initialized) {
        throw new DOMException('the event is already being dispatched', 'InvalidStateError');
      }
      own.trusted = false;
      return dispatch(self, event, () => {});
    }
  }

  function adopt(target) {
    targets.set(target, { listeners: [], handlers: new Map() });
  }

  function of(target) {
    const own = targets.get(target);
    if (!own) throw new TypeError('not an EventTarget');
    return own;
  }

  function flagsOf(event) {
    if (!(event instanceof Event)) throw new TypeError('not an Event');
    return flags(event);
  }

  function callbackOf(value, where) {
    if (value === null || value === undefined) return null;
    if (!realm.isObject(value)) throw new TypeError(`${where}: the listener is no object`);
    return value;
  }

  function flatten(options) {
    if (!realm.isObject(options)) {
      return { capture: Boolean(options), once: false, passive: false, signal: undefined };
    }
    const { capture, once, passive, signal } = options;
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw new TypeError('addEventListener: signal is no AbortSignal');
    }
    return { capture: Boolean(capture), once: Boolean(once), passive: Boolean(passive), signal };
  }

  function remove(target, listener) {
    listener.removed = true;
    const own = of(target);
    own.listeners = own.listeners.filter((other) => other !== listener);
    changed.get(target)?.(target);
  }

  // `after` runs behind each callback: the microtask checkpoint where the
  // event comes from the event loop, nothing where a script dispatched it.
  function dispatch(target, event, after) {
    const own = flags(event);
    Object.assign(own, { dispatching: true, target, currentTarget: target, phase: 2 });
    for (const capture of [true, false]) {
      if (own.stopped) break;
      for (const listener of [...of(target).listeners]) {
        if (listener.removed || listener.capture !== capture || listener.type !== own.type) continue;
        if (own.stoppedNow) break;
        if (listener.once) remove(target, listener);
        own.passive = listener.passive;
        invoke(listener.callback, target, event);
        own.passive = false;
        after();
      }
    }
    Object.assign(own, {
      dispatching: false, currentTarget: null, phase: 0, stopped: false, stoppedNow: false,
    });
    return !own.canceled;
  }

  function invoke(callback, target, event) {
    try {
      if (typeof callback === 'function') {
        callback.call(target, event);
        return;
      }
      const { handleEvent } = callback;
      if (typeof handleEvent !== 'function') throw new TypeError('handleEvent is no function');
      handleEvent.call(callback, event);
    } catch (error) {
      realm.report(error);
    }
  }

  // HTML, "the event handler processing algorithm". The listener of a handler
  // keeps its place in the order as long as the handler isn't null.
  function setHandler(target, type, value) {
    const { handlers } = of(target);
    const old = handlers.get(type);
    if (value === null) {
      handlers.delete(type);
      if (old) remove(target, old.listener);
    } else if (old) {
      old.value = value;
    } else {
      const handler = { value, listener: null };
      const callback = (event) => runHandler(handler.value, target, type, event);
      handler.listener = {
        type, callback, capture: false, once: false, passive: false, removed: false,
      };
      handlers.set(type, handler);
      of(target).listeners.push(handler.listener);
      changed.get(target)?.(target);
    }
  }

  function runHandler(callback, target, type, event) {
    if (typeof callback !== 'function') return;
    const report = type === 'error' && target === globalThis && event instanceof ErrorEvent;
    const result = report
      ? callback.call(target, event.message, event.filename, event.lineno, event.colno, event.error)
      : callback.call(target, event);
    if (result === (report ? true : false)) event.preventDefault();
  }

  realm.expose(Event, { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 });
  for (const type of [CustomEvent, MessageEvent, ErrorEvent, PromiseRejectionEvent, EventTarget]) {
    realm.expose(type);
  }

  realm.events = {
    adopt,
    handler: (target, type) => of(target).handlers.get(type)?.value ?? null,
    setHandler,
    // Calls `then` with `target` whenever a listener of it came or went.
    watch: (target, then) => changed.set(target, then),
    hasListeners: (target) => of(target).listeners.length > 0,
    // Fires a trusted event from within a script.
    fire: (target, event) => {
      flags(event).trusted = true;
      return dispatch(target, event, () => {});
    },
    // Fires a trusted event from the event loop.
    fireTask: (target, event) => {
      flags(event).trusted = true;
      return dispatch(target, event, native.checkpoint);
    },
  };
})
