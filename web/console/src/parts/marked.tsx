// A text in which what was searched for is marked.

import { parts } from '../lib/found';

export function Marked({ text, search }: { text: string; search: string }) {
  return <>{parts(text, search).map((part, i) => (i % 2 ? <mark key={i}>{part}</mark> : part))}</>;
}
