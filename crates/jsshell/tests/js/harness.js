// A test harness in the manner of testharness.js, as small as its use here.
// Prints `ok NAME` or `not ok NAME: WHY` per test and at last how many there were.
'use strict';

(function () {
  const tests = [];
  let waiting = Promise.resolve();
  let loaded = false;
  let finished = false;

  class AssertionError extends Error {}

  class Test {
    constructor(name, isAsync) {
      this.name = name;
      this.error = null;
      this.isDone = !isAsync;
      this.cleanups = [];
      tests.push(this);
    }

    step(body, ...args) {
      if (this.isDone) return undefined;
      try {
        return body.apply(this, args);
      } catch (error) {
        this.fail(error);
        return undefined;
      }
    }

    step_func(body) {
      return (...args) => this.step(body, ...args);
    }

    step_func_done(body = () => {}) {
      return (...args) => {
        this.step(body, ...args);
        this.done();
      };
    }

    step_timeout(body, milliseconds) {
      return setTimeout(this.step_func(body), milliseconds);
    }

    unreached_func(what) {
      return this.step_func(() => assert_unreached(what));
    }

    add_cleanup(body) {
      this.cleanups.push(body);
    }

    fail(error) {
      this.error ??= error;
      this.done();
    }

    done() {
      if (this.isDone) return;
      this.isDone = true;
      this.end();
    }

    end() {
      for (const cleanup of this.cleanups.splice(0)) cleanup();
      const why = this.error && `${this.error.message}\n${this.error.stack ?? ''}`;
      print(why ? `not ok ${this.name}: ${why.trimEnd()}` : `ok ${this.name}`);
      finish();
    }
  }

  function finish() {
    if (finished || !loaded || !tests.every((test) => test.isDone)) return;
    finished = true;
    print(`${tests.length} tests`);
  }

  function assert(condition, what, ...values) {
    if (condition) return;
    const shown = values.map((value) => (typeof value === 'string' ? JSON.stringify(value) : String(value)));
    throw new AssertionError(`${what}${shown.length ? `: ${shown.join(', ')}` : ''}`);
  }

  const globals = {
    test(body, name) {
      const own = new Test(name, true);
      own.step(body, own);
      own.done();
    },

    async_test(first, second) {
      const [body, name] = typeof first === 'function' ? [first, second] : [() => {}, first];
      const own = new Test(name, true);
      own.step(body, own);
      return own;
    },

    // One after the other.
    promise_test(body, name) {
      const own = new Test(name, true);
      const run = async () => {
        try {
          await body(own);
          own.done();
        } catch (error) {
          own.fail(error);
        }
      };
      waiting = waiting.then(run);
    },

    assert_true: (value, what = 'true expected') => assert(value === true, what, value),
    assert_false: (value, what = 'false expected') => assert(value === false, what, value),
    assert_equals: (value, expected, what = 'equal values expected') =>
      assert(Object.is(value, expected), what, value, expected),
    assert_not_equals: (value, other, what = 'different values expected') =>
      assert(!Object.is(value, other), what, value),
    assert_array_equals(values, expected, what = 'equal lists expected') {
      const same = values.length === expected.length
        && values.every((value, at) => Object.is(value, expected[at]));
      assert(same, what, JSON.stringify(values), JSON.stringify(expected));
    },
    assert_same: (value, expected, what = 'equal structures expected') =>
      assert(JSON.stringify(value) === JSON.stringify(expected), what,
        JSON.stringify(value), JSON.stringify(expected)),
    assert_unreached: (what = 'reached') => assert(false, `must not happen: ${what}`),
    assert_throws(check, body, what = 'an exception expected') {
      let error;
      try {
        body();
      } catch (thrown) {
        error = thrown;
      }
      assert(error !== undefined, what);
      assert(matches(error, check), what, `${error.name}: ${error.message}`);
    },
    async assert_rejects(check, promise, what = 'a rejection expected') {
      let error;
      try {
        await promise;
      } catch (thrown) {
        error = thrown;
      }
      assert(error !== undefined, what);
      assert(matches(error, check), what, `${error.name}: ${error.message}`);
    },
  };

  // A constructor, the name of a DOMException, or the very value.
  function matches(error, check) {
    if (typeof check === 'function') return error instanceof check;
    if (typeof check === 'string') return error instanceof DOMException && error.name === check;
    return error === check;
  }

  Object.assign(globalThis, globals);
  addEventListener('load', () => {
    loaded = true;
    finish();
  });
}());
