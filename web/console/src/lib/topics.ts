// Topics and patterns, as the hub reads them.

const TOPIC_BYTES = 4096;

export const isPattern = (selector: string): boolean => selector.split('/').some(s => s === '*' || s === '**');

/// Whether the hub would take `text` as a topic or a pattern.
export function isSelector(text: string): boolean {
  if (new TextEncoder().encode(text).length > TOPIC_BYTES || /[\u0000-\u001f\u007f-\u009f]/.test(text)) return false;
  const segments = text.split('/');
  return segments.every((segment, i) =>
    segment !== '' && segment !== '.' && segment !== '..'
    && (!segment.includes('*') || segment === '*' || (segment === '**' && i === segments.length - 1)));
}

/// The path of a topic, below the hub's own.
export const topicPath = (topic: string): string => `t/${topic.split('/').map(encodeURIComponent).join('/')}`;

/// Where a topic or pattern is watched and its history read.
export const watchPath = (selector: string): string =>
  isPattern(selector) ? `events?topic=${encodeURIComponent(selector)}` : topicPath(selector);

/// `path` with one more parameter.
export const withParameter = (path: string, name: string, value: string): string =>
  `${path}${path.includes('?') ? '&' : '?'}${name}=${encodeURIComponent(value)}`;
