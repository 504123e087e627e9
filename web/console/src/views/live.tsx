// A tail of the topic or pattern in view.

import { useEffect, useRef, useState } from 'preact/hooks';
import { route } from '../app/route';
import { token } from '../hub/api';
import { followInView } from '../hub/feed';
import { count, rate, whole } from '../lib/format';
import { RING_EVENTS, type Entry } from '../lib/ring';
import { useStore } from '../lib/store';
import { Tail } from '../lib/tail';
import { EventDetail } from '../parts/event-detail';
import { EventList } from '../parts/event-list';
import { Field, Select } from '../parts/field';
import { Icon } from '../parts/icon';
import { Refusal } from '../parts/refusal';
import { useText } from '../text';

/// Often enough to be live, seldom enough to be read.
const FLUSH_MS = 200;

function useTail(topic: string, since: string): Tail {
  const [tail, setTail] = useState(() => new Tail());
  const credentials = useStore(token);
  const begun = useRef(false);
  useEffect(() => {
    const made = begun.current ? new Tail() : tail;
    begun.current = true;
    setTail(made);
    const close = followInView([topic], {
      state: (feed, refusal) => made.state(feed, refusal),
      heard: heard => made.take(heard),
    }, since);
    const timer = setInterval(() => made.flush(Date.now()), FLUSH_MS);
    return () => {
      clearInterval(timer);
      close();
    };
  }, [topic, since, credentials]);
  return tail;
}

export function Live() {
  const { t, lang } = useText();
  const text = t.live;
  const { topic } = useStore(route);
  const [since, setSince] = useState<keyof typeof text.sinces>('');
  const [search, setSearch] = useState('');
  const [selected, setSelected] = useState<Entry | null>(null);
  const tail = useTail(topic, since);
  const view = useStore(tail.view);
  // A pause that scrolling has begun ends with it; one by hand lasts.
  const byScrolling = useRef(false);
  useEffect(() => tail.search(search), [tail, search]);
  const pause = (paused: boolean) => {
    byScrolling.current = false;
    tail.pause(paused);
  };
  const scrolled = (top: boolean) => {
    if (!top && !tail.view.get().paused) {
      byScrolling.current = true;
      tail.pause(true);
    } else if (top && byScrolling.current) pause(false);
  };
  const kept = count(view.entries.length, lang);
  return (
    <>
      <div class="bar">
        <h1>{text.title}<code>{topic}</code></h1>
        <p class="feed"><span class={`dot ${view.feed}`} /><span role="status">{t.feed[view.feed]}</span></p>
      </div>
      {view.refusal ? <Refusal why={view.refusal} /> : (
        <>
          <div class="tools">
            <button type="button" class={view.paused ? 'main' : ''} aria-pressed={view.paused} onClick={() => pause(!view.paused)}>
              <Icon name={view.paused ? 'resume' : 'pause'} />{view.paused ? text.resume : text.pause}
            </button>
            <Field label={text.search} hint={text.searchHint} wide>
              <input type="search" value={search} spellcheck={false} onInput={e => setSearch(e.currentTarget.value)} />
            </Field>
            <Select label={text.since} value={since} options={text.sinces} onChoose={setSince} />
            <button type="button" onClick={() => { tail.clear(); setSelected(null); }}>{t.clear}</button>
          </div>
          <p class="tally">
            <span class="number">{text.rate(rate(view.rate, lang))}</span>
            <span>{text.total(whole(view.total, lang))}</span>
            <span>{search ? text.matching(kept) : text.shown(kept)}</span>
            {view.paused && <strong class="warn">{text.unseen(view.unseen, whole(view.unseen, lang))}</strong>}
            {!view.paused && view.total > RING_EVENTS && <span class="quiet">{text.bound(whole(RING_EVENTS, lang))}</span>}
          </p>
          <div class={selected ? 'split open' : 'split'}>
            <EventList
              entries={view.entries} search={search} selected={selected?.key ?? null} onSelect={setSelected}
              onScroll={scrolled} label={text.list} empty={search ? text.noneFound : text.none}
            />
            {selected && <EventDetail key={selected.key} entry={selected} onClose={() => setSelected(null)} />}
          </div>
        </>
      )}
    </>
  );
}
