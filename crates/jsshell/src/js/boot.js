// What the other files build on: ways in and out of the realm. Functions of
// `native` answer undefined where they have no value.
(function (native, realm) {
  'use strict';

  const handlers = new Map();

  // What the event loop calls: `kind` says what has happened.
  realm.on = (kind, handler) => handlers.set(kind, handler);

  realm.enter = (kind, ...args) => {
    try {
      return handlers.get(kind)(...args);
    } catch (error) {
      realm.report(error);
      return undefined;
    }
  };

  // Functions of the global object.
  realm.functions = (functions) => {
    for (const [name, value] of Object.entries(functions)) {
      Object.defineProperty(globalThis, name, {
        value, writable: true, configurable: true, enumerable: true,
      });
    }
  };

  let reporting = false;

  // HTML, "report an exception": the `error` event of the global object, and if
  // nobody cancels that, standard error.
  realm.report = (error) => {
    if (!reporting) {
      reporting = true;
      try {
        const init = { ...place(error), error, message: messageOf(error), cancelable: true };
        if (!realm.events.fire(globalThis, new ErrorEvent('error', init))) return;
      } finally {
        reporting = false;
      }
    }
    native.uncaught(`Uncaught ${describe(error)}`);
  };

  // Promises whose rejection nobody handled by the end of the microtasks.
  let rejected = [];
  const told = new WeakSet();

  realm.on('rejection', (promise, reason, handled) => {
    if (!handled) {
      rejected.push({ promise, reason });
    } else if (told.has(promise)) {
      realm.events.fire(globalThis, new PromiseRejectionEvent('rejectionhandled', {
        promise, reason,
      }));
    } else {
      rejected = rejected.filter((other) => other.promise !== promise);
    }
  });

  realm.on('rejections', () => {
    for (const { promise, reason } of rejected.splice(0)) {
      told.add(promise);
      const init = { promise, reason, cancelable: true };
      const event = new PromiseRejectionEvent('unhandledrejection', init);
      if (realm.events.fire(globalThis, event)) {
        native.uncaught(`Uncaught (in promise) ${describe(reason)}`);
      }
    }
  });

  realm.on('report', (error) => realm.report(error));

  function isError(value) {
    return value instanceof Error || value instanceof DOMException;
  }

  function messageOf(error) {
    try {
      return isError(error) ? `Uncaught ${error.name}: ${error.message}` : `Uncaught ${error}`;
    } catch {
      return 'Uncaught exception';
    }
  }

  function describe(error) {
    try {
      return isError(error) ? `${error.name}: ${error.message}\n${error.stack ?? ''}` : String(error);
    } catch {
      return 'exception that cannot be shown';
    }
  }

  // The engine's stacks have lines like "    at f (name:line:column)".
  function place(error) {
    const found = isError(error) && /\(?([^\s(]*):(\d+):(\d+)\)?$/m.exec(error.stack ?? '');
    return found
      ? { filename: found[1], lineno: Number(found[2]), colno: Number(found[3]) }
      : { filename: '', lineno: 0, colno: 0 };
  }
})
