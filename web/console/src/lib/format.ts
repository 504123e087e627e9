// Figures as people read them, in the language of the page.

import type { Language } from '../text';

const KIB = 1024;
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
const COMPACT_FROM = 10_000;

const formats = new Map<string, Intl.NumberFormat>();

function format(language: Language, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = language + JSON.stringify(options);
  let found = formats.get(key);
  if (!found) formats.set(key, found = new Intl.NumberFormat(language, options));
  return found;
}

/// A count: whole, and short from ten thousand on.
export function count(n: number, language: Language): string {
  if (Math.abs(n) < COMPACT_FROM) return format(language, { maximumFractionDigits: 0 }).format(n);
  return format(language, { notation: 'compact', maximumFractionDigits: 1 }).format(n);
}

/// A count with all its digits.
export function whole(n: number, language: Language): string {
  return format(language, { maximumFractionDigits: 0 }).format(n);
}

/// A rate per second: with digits behind the point while it is small.
export function rate(n: number, language: Language): string {
  if (n > 0 && n < 0.005) return '<0.01';
  if (n < 1) return format(language, { maximumFractionDigits: 2 }).format(n);
  if (n < 100) return format(language, { maximumFractionDigits: 1 }).format(n);
  return count(n, language);
}

/// A number of bytes, in powers of 1024.
export function bytes(n: number): string {
  let unit = 0;
  let value = Math.abs(n);
  while (value >= KIB && unit < UNITS.length - 1) {
    value /= KIB;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${n < 0 ? '−' : ''}${value.toFixed(digits)} ${UNITS[unit]}`;
}

/// A time span given in seconds, in its two largest units.
export function span(seconds: number, units: { d: string; h: string; min: string; s: string }): string {
  const s = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(s / 86_400), units.d],
    [Math.floor(s / 3600) % 24, units.h],
    [Math.floor(s / 60) % 60, units.min],
    [s % 60, units.s],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  if (first < 0) return `0 ${units.s}`;
  return parts.slice(first, first + 2).filter(([n]) => n > 0).map(([n, unit]) => `${n} ${unit}`).join(' ');
}

const two = (n: number) => String(n).padStart(2, '0');

/// The time of day of a moment, to the millisecond.
export function clock(moment: Date): string {
  const ms = String(moment.getMilliseconds()).padStart(3, '0');
  return `${two(moment.getHours())}:${two(moment.getMinutes())}:${two(moment.getSeconds())}.${ms}`;
}

/// The day of a moment.
export function day(moment: Date): string {
  return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
}

/// Two digits for each byte.
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}
