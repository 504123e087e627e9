// A React hook: a watch for as long as a component is mounted.

import { useEffect, useRef, useState } from 'react';
import { Tidings } from './tidings.js';
import type { End, Gap, Options, Presence, State, TidingsError, TidingsEvent } from './types.js';

export interface UseTidingsOptions<Events extends object> extends Options {
  /** Called with each event, and not only the last of those that came together. */
  onEvent?: (event: TidingsEvent<Events[keyof Events]>) => void;
  onGap?: (gap: Gap) => void;
  onEnd?: (end: End) => void;
}

/** What a component shows. */
export interface UseTidings<Events extends object> {
  readonly state: State;
  /** The last event; null before the first. */
  readonly last: TidingsEvent<Events[keyof Events]> | null;
  /** What has closed the watch, or what went wrong last until it is open again. */
  readonly error: TidingsError | null;
  /** Who is present at each topic. */
  readonly presence: readonly Presence[];
}

const NOTHING = { state: 'connecting', last: null, error: null, presence: [] } as const;

/**
 * Watches from when the component is mounted until it is unmounted, or until
 * `url` or an option changes; not at all while `url` is null. Functions may be
 * other ones each time: the latest is called.
 *
 * Under StrictMode, which mounts everything twice, it opens one connection.
 */
export function useTidings<Events extends object = Record<string, string>>(
  url: string | URL | null,
  options: UseTidingsOptions<Events> = {},
): UseTidings<Events> {
  const [shown, show] = useState<UseTidings<Events>>(NOTHING);
  const latest = useRef(options);
  useEffect(() => { latest.current = options; });
  const key = url === null ? null : JSON.stringify([String(url), options], (_, value) => (typeof value === 'function' ? 'f' : value));
  useEffect(() => {
    show(NOTHING);
    if (url === null) return undefined;
    // A watch begins in a microtask; StrictMode unmounts before that.
    const tidings = new Tidings<Events>(url, calling(latest));
    const change = (next: Partial<UseTidings<Events>>) => show(before => ({ ...before, ...next }));
    tidings.on('tidings:state', state => change(state === 'open' ? { state, error: null } : { state }));
    tidings.on('tidings:error', error => change({ error }));
    tidings.on('tidings:presence', () => change({ presence: tidings.presence }));
    tidings.on('tidings:gap', gap => latest.current.onGap?.(gap));
    tidings.on('tidings:end', end => latest.current.onEnd?.(end));
    tidings.on('*', event => {
      const last = event as TidingsEvent<Events[keyof Events]>;
      change({ last });
      latest.current.onEvent?.(last);
    });
    return () => tidings.close();
    // `key` stands for what they hold.
  }, [key]);
  return shown;
}

/** The options, with those that are functions calling the latest. */
function calling<Events extends object>(latest: { current: UseTidingsOptions<Events> }): Options {
  const { onEvent, onGap, onEnd, ...options } = latest.current;
  const late = Object.entries(options).filter(([, value]) => typeof value === 'function');
  const call = (name: string) => (...given: unknown[]) =>
    (latest.current as Record<string, (...given: unknown[]) => unknown>)[name]?.(...given);
  return { ...options, ...Object.fromEntries(late.map(([name]) => [name, call(name)])) };
}
