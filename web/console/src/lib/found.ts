// Where a search has found something in a text.

/// As much of an event's data as a row can show.
const PREVIEW = 400;

/// `text` cut before and behind each place that holds `search`, whatever its
/// case: what was found has the odd places.
export function parts(text: string, search: string): string[] {
  const lower = text.toLowerCase();
  // Few letters change their length with their case; then the places would be wrong.
  if (!search || lower.length !== text.length) return [text];
  const sought = search.toLowerCase();
  const found: string[] = [];
  let from = 0;
  for (let at = lower.indexOf(sought); at >= 0; at = lower.indexOf(sought, from)) {
    found.push(text.slice(from, at), text.slice(at, at + sought.length));
    from = at + sought.length;
  }
  return [...found, text.slice(from)];
}

/// The part of a text that a row shows: where the search has found something.
export function excerpt(data: string, search: string): string {
  const LEAD = 24;
  const found = search ? data.toLowerCase().indexOf(search.toLowerCase()) : -1;
  const from = found > LEAD * 2 ? found - LEAD : 0;
  const text = data.slice(from, from + PREVIEW).replaceAll('\n', ' ⏎ ');
  return from > 0 ? `…${text}` : text;
}
