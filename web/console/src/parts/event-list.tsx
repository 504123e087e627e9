// A list of events of which only the rows in sight exist, so that thousands
// cost no more than a screen of them.

import type { TargetedEvent, TargetedKeyboardEvent } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { clock } from '../lib/format';
import { excerpt } from '../lib/found';
import type { Entry } from '../lib/ring';
import { useText } from '../text';
import { Marked } from './marked';

const ROW = 28;
const TALL_ROW = 48;
/// Rows beyond what is in sight, so that scrolling shows no empty space.
const BEYOND = 8;

const narrow = matchMedia('(max-width: 719px)');

export function EventList({ entries, search, selected, onSelect, onScroll, label, empty }: {
  entries: readonly Entry[];
  search: string;
  selected: number | null;
  onSelect: (entry: Entry | null) => void;
  onScroll?: (top: boolean) => void;
  label: string;
  empty: string;
}) {
  const box = useRef<HTMLDivElement>(null);
  const row = useRowHeight();
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(0);
  const at = entries.findIndex(entry => entry.key === selected);

  useEffect(() => {
    const div = box.current as HTMLDivElement;
    const observer = new ResizeObserver(() => setHeight(div.clientHeight));
    observer.observe(div);
    return () => observer.disconnect();
  }, []);

  const scrolled = (e: TargetedEvent<HTMLDivElement>) => {
    setTop(e.currentTarget.scrollTop);
    onScroll?.(e.currentTarget.scrollTop < row / 2);
  };
  const select = (index: number) => {
    const entry = entries[Math.max(0, Math.min(entries.length - 1, index))];
    if (!entry) return;
    onSelect(entry);
    reveal(box.current as HTMLDivElement, entries.indexOf(entry) * row, row);
  };
  const key = (e: TargetedKeyboardEvent<HTMLDivElement>) => {
    const page = Math.max(1, Math.floor(height / row) - 1);
    const target = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: entries.length }[e.key];
    if (e.key === 'Escape') onSelect(null);
    else if (target !== undefined) select(target);
    else return;
    e.preventDefault();
  };

  const first = Math.max(0, Math.floor(top / row) - BEYOND);
  const last = Math.min(entries.length, Math.ceil((top + height) / row) + BEYOND);
  return (
    <div class="events">
      <Columns />
      <div
        class="scroll" ref={box} role="listbox" tabIndex={0} aria-label={label} onScroll={scrolled} onKeyDown={key}
        aria-activedescendant={at >= first && at < last ? `event-${selected}` : undefined}
      >
        {entries.length === 0 && <p class="empty" role="option" aria-disabled="true" aria-selected="false">{empty}</p>}
        <div class="space" role="presentation" style={{ height: `${entries.length * row}px` }}>
          {entries.slice(first, last).map((entry, i) => (
            <Row
              key={entry.key} entry={entry} search={search} top={(first + i) * row} height={row}
              place={first + i + 1} of={entries.length} selected={entry.key === selected}
              onSelect={() => onSelect(entry.key === selected ? null : entry)}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

function Columns() {
  const { t } = useText();
  return (
    <div class="columns" aria-hidden="true">
      <span>{t.event.time}</span><span>{t.event.topic}</span><span>{t.event.type}</span><span>{t.event.data}</span>
    </div>
  );
}

function Row({ entry, search, top, height, place, of, selected, onSelect }: {
  entry: Entry; search: string; top: number; height: number; place: number; of: number;
  selected: boolean; onSelect: () => void;
}) {
  return (
    <div
      class={`row ${entry.kind}`} role="option" id={`event-${entry.key}`} aria-selected={selected}
      aria-posinset={place} aria-setsize={of} style={{ top: `${top}px`, height: `${height}px` }} onClick={onSelect}
    >
      <time>{clock(new Date(entry.time))}</time>
      <span class="of"><Marked text={entry.topic} search={search} /></span>
      <span class="kind"><Marked text={entry.type} search={search} /></span>
      <Preview entry={entry} search={search} />
    </div>
  );
}

function Preview({ entry, search }: { entry: Entry; search: string }) {
  const { t } = useText();
  if (entry.kind === 'gap') return <span class="data">{t.live.gap(gapReason(entry.data, t.live.reasons))}</span>;
  if (entry.kind === 'end') return <span class="data">{t.live.end}</span>;
  return <span class="data"><Marked text={excerpt(entry.data, search)} search={search} /></span>;
}

function gapReason(data: string, reasons: Record<string, string>): string {
  try {
    const { reason } = JSON.parse(data) as { reason?: unknown };
    return reasons[String(reason)] ?? String(reason);
  } catch {
    return data;
  }
}

function useRowHeight(): number {
  const [isNarrow, setNarrow] = useState(narrow.matches);
  useEffect(() => {
    const changed = () => setNarrow(narrow.matches);
    narrow.addEventListener('change', changed);
    return () => narrow.removeEventListener('change', changed);
  }, []);
  return isNarrow ? TALL_ROW : ROW;
}

function reveal(box: HTMLDivElement, top: number, height: number): void {
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top + height > box.scrollTop + box.clientHeight) box.scrollTop = top + height - box.clientHeight;
}
