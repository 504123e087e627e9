// The topics: those that are busy, and all that the store knows.

import { useEffect, useState } from 'preact/hooks';
import { askJson, refusalOf, type Refusal as Why } from '../hub/api';
import { hubState, topics } from '../hub/watching';
import { bytes, rate, span, whole } from '../lib/format';
import { useStore } from '../lib/store';
import { Field } from '../parts/field';
import { Refusal } from '../parts/refusal';
import { Table } from '../parts/table';
import { TopicLink } from '../parts/topic-link';
import { useText } from '../text';

const PER_PAGE = 100;

interface StoredPage {
  topics: { topic: string; events: number | null; last: string | null; closed: boolean }[];
  next: string | null;
}

export function Topics() {
  const { t } = useText();
  const { refusal } = useStore(hubState);
  const [stored, setStored] = useState(false);
  if (refusal) return <><h1>{t.topics.title}</h1><Refusal why={refusal} admin /></>;
  return (
    <>
      <div class="bar">
        <h1>{t.topics.title}</h1>
        <div class="segments" role="group" aria-label={t.topics.title}>
          <button type="button" aria-pressed={!stored} onClick={() => setStored(false)}>{t.topics.busy}</button>
          <button type="button" aria-pressed={stored} onClick={() => setStored(true)}>{t.topics.stored}</button>
        </div>
      </div>
      {stored ? <Stored /> : <Busy onStored={() => setStored(true)} />}
    </>
  );
}

function Busy({ onStored }: { onStored: () => void }) {
  const { t, lang } = useText();
  const text = t.topics;
  const seen = useStore(topics);
  const [filter, setFilter] = useState('');
  const lines = (seen?.topics ?? []).filter(line => line.topic.toLowerCase().includes(filter.toLowerCase()));
  const ago = (last: number) => {
    const seconds = ((seen?.time ?? last) - last) / 1000;
    return seconds < 2 ? text.now : text.ago(span(seconds, t.units));
  };
  return (
    <>
      <div class="tools">
        <Field label={text.filter}>
          <input type="search" value={filter} spellcheck={false} onInput={e => setFilter(e.currentTarget.value)} />
        </Field>
        <p class="quiet">{seen && text.lede(seen.count, whole(seen.count, lang))}{seen?.more && ` · ${text.more}`}{seen?.approximate && ` · ${text.approximate}`}</p>
      </div>
      {lines.length === 0
        ? (
          <div class="empty">
            <p>{!seen ? t.overview.waiting : filter ? text.noneFiltered : text.noneNow}</p>
            {seen && !filter && <button type="button" onClick={onStored}>{text.showStored}</button>}
          </div>
        )
        : (
          <Table
            label={text.title} rows={lines} keyOf={line => line.topic}
            columns={[
              { name: text.topic, cell: line => <TopicLink topic={line.topic} /> },
              { name: text.rate, number: true, cell: line => rate(line.rate, lang) },
              { name: text.bytes, number: true, cell: line => bytes(line.bytes_rate) },
              { name: text.events, number: true, cell: line => whole(line.events, lang) },
              { name: text.last, number: true, cell: line => <span class="quiet">{ago(line.last)}</span> },
            ]}
          />
        )}
    </>
  );
}

function Stored() {
  const { t, lang } = useText();
  const text = t.topics;
  const [prefix, setPrefix] = useState('');
  const [after, setAfter] = useState<string | null>(null);
  const [page, setPage] = useState<StoredPage | null>(null);
  const [refusal, setRefusal] = useState<Why | null>(null);
  useEffect(() => {
    const ending = new AbortController();
    const query = new URLSearchParams({ limit: String(PER_PAGE), ...(prefix && { prefix }), ...(after && { after }) });
    askJson<StoredPage>(`admin/topics?${query}`, ending.signal).then(
      found => { setPage(found); setRefusal(null); },
      error => ending.signal.aborted || setRefusal(refusalOf(error)),
    );
    return () => ending.abort();
  }, [prefix, after]);
  if (refusal) return <Refusal why={refusal} admin />;
  return (
    <>
      <div class="tools">
        <Field label={text.prefix}>
          <input
            type="search" value={prefix} spellcheck={false}
            onInput={e => { setAfter(null); setPrefix(e.currentTarget.value); }}
          />
        </Field>
        <div class="actions">
          <button type="button" disabled={!after} onClick={() => setAfter(null)}>{text.first}</button>
          <button type="button" disabled={!page?.next} onClick={() => setAfter(page?.next ?? null)}>{text.next}</button>
        </div>
      </div>
      {!page ? <p class="empty">{t.history.loading}</p> : page.topics.length === 0
        ? <p class="empty">{prefix ? text.noneFiltered : text.none}</p>
        : (
          <Table
            label={text.stored} rows={page.topics} keyOf={line => line.topic}
            columns={[
              { name: text.topic, cell: line => <TopicLink topic={line.topic} /> },
              { name: text.events, number: true, cell: line => (line.events === null ? t.unknown : whole(line.events, lang)) },
              { name: text.lastId, cell: line => <code>{line.last ?? t.unknown}</code> },
              { name: text.state, cell: line => (line.closed ? <span class="tag">{text.closed}</span> : text.openState) },
            ]}
          />
        )}
    </>
  );
}
