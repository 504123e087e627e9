// HTML's timers. When they are due is the event loop's business (timers.rs).
(function (native, realm) {
  'use strict';

  const pending = new Map();
  let last = 0;
  let nesting = 0;

  function start(where, callback, delay, args, repeat) {
    if (args.length === 0 && callback === undefined) realm.need([], 1, where);
    if (typeof callback !== 'function') {
      const code = realm.string(callback);
      callback = () => (0, eval)(code);
    }
    last += 1;
    pending.set(last, { callback, args, repeat, delay: limit(delay), level: nesting + 1 });
    schedule(last);
    return last;
  }

  // A negative or nonsensical delay is none; more than an int holds, too.
  function limit(delay) {
    const number = Math.trunc(Number(delay)) || 0;
    return number < 0 || number > 0x7fffffff ? 0 : number;
  }

  function schedule(id) {
    const timer = pending.get(id);
    // Timers that set timers wait 4 ms from the sixth generation on.
    native.setTimer(id, timer.level > 5 ? Math.max(timer.delay, 4) : timer.delay);
  }

  function stop(id) {
    id = Number(id);
    if (pending.delete(id)) native.clearTimer(id);
  }

  realm.on('timer', (id) => {
    const timer = pending.get(id);
    if (!timer) return;
    if (!timer.repeat) pending.delete(id);
    nesting = timer.level;
    try {
      timer.callback.apply(globalThis, timer.args);
    } catch (error) {
      realm.report(error);
    }
    nesting = 0;
    if (timer.repeat && pending.has(id)) {
      timer.level += 1;
      schedule(id);
    }
  });

  realm.functions({
    setTimeout(callback, delay = 0, ...args) {
      return start('setTimeout', callback, delay, args, false);
    },
    setInterval(callback, delay = 0, ...args) {
      return start('setInterval', callback, delay, args, true);
    },
    clearTimeout(id = 0) {
      stop(id);
    },
    clearInterval(id = 0) {
      stop(id);
    },
  });
})
