// What a topic or pattern had, page by page.

import { useEffect, useState } from 'preact/hooks';
import { route } from '../app/route';
import { askJson, refusalOf, token, type Refusal as Why } from '../hub/api';
import { whole } from '../lib/format';
import { holds, type Entry } from '../lib/ring';
import { useStore } from '../lib/store';
import { watchPath, withParameter } from '../lib/topics';
import { EventDetail } from '../parts/event-detail';
import { EventList } from '../parts/event-list';
import { Field, Select } from '../parts/field';
import { Refusal } from '../parts/refusal';
import { useText } from '../text';

const SIZES = { 50: '50', 100: '100', 500: '500', 1000: '1000' };

interface Page {
  events: { topic: string; event: string; id: string; time: string; data: string }[];
  cursor: string;
  more: boolean;
  gap?: string;
}

/// What stands on a page, with the gap before it.
export function entriesOf(page: Page): Entry[] {
  const events = page.events.map((event, i): Entry => ({
    key: i, kind: 'event', topic: event.topic, type: event.event || 'message', id: event.id,
    time: Date.parse(event.time), data: event.data,
  }));
  if (!page.gap) return events;
  const time = events[0]?.time ?? Date.now();
  const gap: Entry = {
    key: -1, kind: 'gap', topic: '', type: 'tidings:gap', id: '', time, data: JSON.stringify({ reason: page.gap }),
  };
  return [gap, ...events];
}

export function History() {
  const { t, lang } = useText();
  const text = t.history;
  const { topic, since } = useStore(route);
  const credentials = useStore(token);
  const [from, setFrom] = useState<keyof typeof text.froms>(since ? 'id' : 'earliest');
  const [id, setId] = useState(since ?? '');
  const [size, setSize] = useState<keyof typeof SIZES>(100);
  // Where each page begins that was read: the last is the one in view.
  const [starts, setStarts] = useState<string[]>([since ?? 'earliest']);
  const [page, setPage] = useState<Page | null>(null);
  const [refusal, setRefusal] = useState<Why | null>(null);
  const [search, setSearch] = useState('');
  const [selected, setSelected] = useState<Entry | null>(null);
  const start = starts.at(-1) as string;

  useEffect(() => {
    const ending = new AbortController();
    setSelected(null);
    const path = withParameter(withParameter(watchPath(topic), 'since', start), 'limit', String(size));
    askJson<Page>(path, ending.signal).then(
      found => { setPage(found); setRefusal(null); },
      error => ending.signal.aborted || setRefusal(refusalOf(error)),
    );
    return () => ending.abort();
  }, [topic, starts, size, credentials]);

  const read = (e: Event) => {
    e.preventDefault();
    setStarts([from === 'id' ? id.trim() : from]);
  };
  const all = page ? entriesOf(page) : [];
  const entries = search ? all.filter(entry => holds(entry, search.toLowerCase())) : all;
  return (
    <>
      <h1>{text.title}<code>{topic}</code></h1>
      <form class="tools" onSubmit={read}>
        <Select label={text.from} value={from} options={text.froms} onChoose={setFrom} />
        {from === 'id' && (
          <Field label={text.idField} wide>
            <input value={id} required spellcheck={false} autocomplete="off" onInput={e => setId(e.currentTarget.value)} />
          </Field>
        )}
        <Select
          label={text.perPage} value={String(size) as never} options={SIZES as Record<string, string>}
          onChoose={chosen => { setSize(Number(chosen) as keyof typeof SIZES); setStarts([starts[0] as string]); }}
        />
        <button class="main">{text.read}</button>
        <Field label={text.search} wide>
          <input type="search" value={search} spellcheck={false} onInput={e => setSearch(e.currentTarget.value)} />
        </Field>
      </form>
      {refusal ? <Refusal why={refusal} onRetry={() => setStarts([...starts])} /> : (
        <>
          <div class="pager">
            <button type="button" disabled={starts.length === 1} onClick={() => setStarts(starts.slice(0, -1))}>{text.previous}</button>
            <p aria-live="polite">
              {page ? `${text.page(starts.length)} · ${text.range(page.events.length, whole(page.events.length, lang))}` : text.loading}
              {page && !page.more && <span class="quiet"> · {text.end}</span>}
            </p>
            <button type="button" disabled={!page?.more} onClick={() => page && setStarts([...starts, page.cursor])}>{text.next}</button>
          </div>
          <div class={selected ? 'split open' : 'split'}>
            <EventList
              key={`${starts.length} ${start}`}
              entries={entries} search={search} selected={selected?.key ?? null} onSelect={setSelected}
              label={text.list} empty={page ? (search ? t.live.noneFound : text.none) : text.loading}
            />
            {selected && <EventDetail key={selected.key} entry={selected} onClose={() => setSelected(null)} />}
          </div>
        </>
      )}
    </>
  );
}
