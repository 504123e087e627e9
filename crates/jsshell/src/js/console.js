// console, print(), gc() and structuredClone().
(function (native, realm) {
  'use strict';

  function show(value, depth, seen) {
    if (typeof value === 'string') return depth === 0 ? value : JSON.stringify(value);
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'function') return `[function ${value.name || 'anonymous'}]`;
    if (typeof value !== 'object' || value === null) return String(value);
    if (value instanceof Error || value instanceof DOMException) {
      return `${value.name}: ${value.message}\n${value.stack ?? ''}`.trimEnd();
    }
    if (seen.includes(value)) return '[circular]';
    if (depth > 3) return Array.isArray(value) ? '[…]' : '{…}';
    const next = (inner) => show(inner, depth + 1, [...seen, value]);
    if (Array.isArray(value) || ArrayBuffer.isView(value)) {
      return `[${Array.from(value, next).join(', ')}]`;
    }
    if (value instanceof Map) return `Map {${[...value].map((pair) => pair.map(next).join(' => ')).join(', ')}}`;
    if (value instanceof Set) return `Set {${[...value].map(next).join(', ')}}`;
    if (value instanceof Date) return value.toISOString();
    const name = value.constructor?.name;
    const members = Object.keys(value).map((key) => `${key}: ${next(value[key])}`);
    return `${name && name !== 'Object' ? `${name} ` : ''}{${members.join(', ')}}`;
  }

  const line = (values) => values.map((value) => {
    try {
      return show(value, 0, []);
    } catch {
      return '[cannot be shown]';
    }
  }).join(' ');

  const counts = new Map();
  const out = (...values) => native.out(line(values).toWellFormed());
  const err = (...values) => native.err(line(values).toWellFormed());
  const console = {
    log: out,
    info: out,
    debug: out,
    dir: (value) => out(value),
    warn: err,
    error: err,
    trace: (...values) => err(...values, new Error('trace').stack),
    assert: (condition, ...values) => {
      if (!condition) err('Assertion failed:', ...values);
    },
    count: (label = 'default') => {
      counts.set(label, (counts.get(label) ?? 0) + 1);
      out(`${label}: ${counts.get(label)}`);
    },
    countReset: (label = 'default') => counts.delete(label),
    group: out,
    groupEnd: () => {},
    table: out,
    time: () => {},
    timeEnd: () => {},
  };

  // The structured clone algorithm for what the language itself has.
  function clone(value, memory) {
    if (typeof value === 'symbol' || typeof value === 'function') {
      throw new DOMException('the value cannot be cloned', 'DataCloneError');
    }
    if (!realm.isObject(value)) return value;
    if (memory.has(value)) return memory.get(value);
    const keep = (copy) => {
      memory.set(value, copy);
      return copy;
    };
    if (value instanceof Date) return keep(new Date(value));
    if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
    if (value instanceof ArrayBuffer) return keep(value.slice(0));
    if (ArrayBuffer.isView(value)) {
      const buffer = clone(value.buffer, memory);
      return keep(new value.constructor(buffer, value.byteOffset, value.length ?? value.byteLength));
    }
    if (value instanceof Map) {
      const copy = keep(new Map());
      for (const [key, inner] of [...value]) copy.set(clone(key, memory), clone(inner, memory));
      return copy;
    }
    if (value instanceof Set) {
      const copy = keep(new Set());
      for (const inner of [...value]) copy.add(clone(inner, memory));
      return copy;
    }
    if (value instanceof Error) {
      const copy = keep(new (globalThis[value.name] ?? Error)(value.message));
      copy.stack = value.stack;
      return copy;
    }
    const copy = keep(Array.isArray(value) ? new Array(value.length) : {});
    for (const key of Object.keys(value)) copy[key] = clone(value[key], memory);
    return copy;
  }

  realm.hidden(globalThis, 'console', console);
  realm.functions({
    print(...values) {
      native.out(values.map((value) => String(value)).join(' ').toWellFormed());
    },
    gc() {
      native.collect();
    },
    structuredClone(value) {
      realm.need(arguments, 1, 'structuredClone');
      return clone(value, new Map());
    },
  });
})
