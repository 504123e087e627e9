// JSON as people read it. It is laid out by its characters, never by way of
// numbers: those of events may have more digits than JavaScript keeps.

const LONGEST = 200_000;
/// What is nested deeper grows with the square of its depth.
const DEEPEST = 100;
const INDENT = '  ';

export interface Token {
  kind: 'key' | 'text' | 'number' | 'word' | null;
  text: string;
}

/// A string, a number, a word, or a mark between them. A string may lack its end,
/// where a text was cut: every `"` in it would otherwise be tried as a beginning.
const PARTS = /"(?:[^"\\]|\\[^]?)*(?:"|$)|-?\d[\d.eE+-]*|true|false|null|[[\]{}:,]/g;

/// Whether `text` is a JSON object or array.
export function isJson(text: string): boolean {
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/// `text` with a line for each member, if it is a JSON object or array that is
/// neither too long nor too deep for that.
export function laidOut(text: string): string | null {
  if (text.length > LONGEST || !isJson(text)) return null;
  const trimmed = text.trim();
  let depth = 0;
  let out = '';
  const parts = trimmed.match(PARTS) ?? [];
  for (const [i, part] of parts.entries()) {
    if (depth > DEEPEST || out.length > 2 * LONGEST) return null;
    const next = parts[i + 1];
    const line = `\n${INDENT.repeat(depth)}`;
    if (part === '{' || part === '[') {
      const isEmpty = next === '}' || next === ']';
      depth += isEmpty ? 0 : 1;
      out += isEmpty ? part : `${part}\n${INDENT.repeat(depth)}`;
    } else if (part === '}' || part === ']') {
      const wasEmpty = parts[i - 1] === '{' || parts[i - 1] === '[';
      depth -= wasEmpty ? 0 : 1;
      out += wasEmpty ? part : `\n${INDENT.repeat(depth)}${part}`;
    } else if (part === ',') out += `,${line}`;
    else out += part === ':' ? ': ' : part;
  }
  return out;
}

/// The parts of laid out JSON, for colours.
export function tokens(text: string): Token[] {
  const found: Token[] = [];
  let from = 0;
  for (const match of text.matchAll(PARTS)) {
    const part = match[0];
    const kind = kindOf(part, text, match.index + part.length);
    if (!kind) continue;
    if (match.index > from) found.push({ kind: null, text: text.slice(from, match.index) });
    found.push({ kind, text: part });
    from = match.index + part.length;
  }
  if (from < text.length) found.push({ kind: null, text: text.slice(from) });
  return found;
}

function kindOf(part: string, text: string, behind: number): Token['kind'] {
  if (part.startsWith('"')) return text[behind] === ':' ? 'key' : 'text';
  if (/^[-\d]/.test(part)) return 'number';
  return /^[tfn]/.test(part) ? 'word' : null;
}
