// Who is connected, and who lags.

import { useState } from 'preact/hooks';
import type { ConnectionLine } from '../hub/own';
import { connections, hubState, stats } from '../hub/watching';
import { bytes, span, whole } from '../lib/format';
import { useStore } from '../lib/store';
import { Field } from '../parts/field';
import { Icon } from '../parts/icon';
import { Refusal } from '../parts/refusal';
import { Table } from '../parts/table';
import { TopicLink } from '../parts/topic-link';
import { useText } from '../text';

const has = (line: ConnectionLine, text: string) =>
  [line.peer ?? '', line.transport, ...line.topics].some(part => part.toLowerCase().includes(text));

export function Connections() {
  const { t, lang } = useText();
  const text = t.connections;
  const { refusal } = useStore(hubState);
  const seen = useStore(connections);
  const now = useStore(stats);
  const [filter, setFilter] = useState('');
  if (refusal) return <><h1>{text.title}</h1><Refusal why={refusal} admin /></>;
  const lines = (seen?.connections ?? []).filter(line => has(line, filter.toLowerCase()));
  const most = Math.max(...lines.map(line => line.lag_bytes), 1);
  return (
    <>
      <h1>{text.title}</h1>
      <div class="tools">
        <Field label={text.filter}>
          <input type="search" value={filter} spellcheck={false} onInput={e => setFilter(e.currentTarget.value)} />
        </Field>
        <p class="quiet">
          {seen && text.lede(seen.count, whole(seen.count, lang))}{seen?.more && ` · ${text.more}`}
          {now && ` · ${text.slow(whole(now.slow, lang))} · ${text.gaps(whole(now.gaps, lang))}`}
        </p>
      </div>
      {lines.length === 0
        ? <p class="empty">{!seen ? t.overview.waiting : filter ? text.noneFiltered : text.none}</p>
        : (
          <Table
            label={text.title} rows={lines} keyOf={line => line.id}
            columns={[
              { name: text.peer, cell: line => <code>{line.peer ?? t.unknown}</code> },
              { name: text.lag, cell: line => <Lag bytes={line.lag_bytes} most={most} /> },
              { name: text.topics, cell: line => <Names line={line} /> },
              { name: text.given, number: true, cell: line => whole(line.given, lang) },
              { name: text.since, number: true, cell: line => span(((seen?.time ?? 0) - line.since) / 1000, t.units) },
              { name: text.transport, cell: line => <Transport line={line} /> },
            ]}
          />
        )}
    </>
  );
}

function Lag({ bytes: behind, most }: { bytes: number; most: number }) {
  const { t } = useText();
  if (behind === 0) return <span class="quiet">{t.connections.nothingWaits}</span>;
  return (
    <span class="lag">
      <span class="meter warn" aria-hidden="true"><i style={{ width: `${(behind / most) * 100}%` }} /></span>
      {bytes(behind)}
    </span>
  );
}

function Names({ line }: { line: ConnectionLine }) {
  const { t } = useText();
  return (
    <span class="names">
      {line.topics.map(topic => <TopicLink key={topic} topic={topic} />)}
      {line.more_topics > 0 && <span class="quiet">{t.connections.others(line.more_topics)}</span>}
    </span>
  );
}

function Transport({ line }: { line: ConnectionLine }) {
  const { t } = useText();
  return <>{line.transport}{line.secure && <span class="tag"><Icon name="secure" />{t.connections.secure}</span>}</>;
}
