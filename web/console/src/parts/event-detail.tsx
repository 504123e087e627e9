// One event, whole.

import { useMemo, useRef, useState } from 'preact/hooks';
import { hrefOf } from '../app/route';
import { bytes, clock, day, whole } from '../lib/format';
import { laidOut, tokens } from '../lib/json';
import type { Entry } from '../lib/ring';
import { useText } from '../text';
import { Copy } from './copy';
import { Icon } from './icon';
import { TopicLink } from './topic-link';

/// More than this is not laid out on the page at once.
const SHOWN_CHARACTERS = 100_000;

export function EventDetail({ entry, onClose }: { entry: Entry; onClose: () => void }) {
  const { t, lang } = useText();
  const [asSent, setAsSent] = useState(false);
  const pre = useRef<HTMLPreElement>(null);
  // Whoever shows it is drawn anew several times a second.
  const json = useMemo(() => laidOut(entry.data), [entry.data]);
  const text = json === null || asSent ? entry.data : json;
  const shown = useMemo(() => coloured(text.slice(0, SHOWN_CHARACTERS), text === json), [text, json]);
  const size = useMemo(() => new Blob([entry.data]).size, [entry.data]);
  const time = new Date(entry.time);
  return (
    <aside class="detail" aria-label={t.event.title} onKeyDown={e => e.key === 'Escape' && onClose()}>
      <div class="head">
        <h2>{t.event.title}</h2>
        <button type="button" class="bare" onClick={onClose} aria-label={t.close}><Icon name="close" /></button>
      </div>
      <dl class="facts">
        {entry.topic && <><dt>{t.event.topic}</dt><dd><TopicLink topic={entry.topic} /></dd></>}
        <dt>{t.event.type}</dt><dd><code>{entry.type}</code></dd>
        {entry.id && <><dt>{t.event.id}</dt><dd><code>{entry.id}</code></dd></>}
        <dt>{t.event.time}</dt><dd>{day(time)} {clock(time)}</dd>
        <dt>{t.event.size}</dt><dd>{bytes(size)}</dd>
      </dl>
      <div class="actions">
        <Copy text={entry.data} shownIn={pre} label={t.event.data} />
        {json !== null && (
          <button type="button" class="small" onClick={() => setAsSent(!asSent)}>
            {asSent ? t.event.asJson : t.event.asSent}
          </button>
        )}
        {entry.id && entry.topic && (
          <a class="button small" href={hrefOf({ view: 'history', topic: entry.topic, since: entry.id })}>
            {t.event.since}
          </a>
        )}
      </div>
      <pre ref={pre} tabIndex={0} aria-label={t.event.data}>
        {entry.data === '' ? <span class="quiet">{t.event.empty}</span> : shown}
      </pre>
      {text.length > SHOWN_CHARACTERS && <p class="note">{t.event.cut(whole(SHOWN_CHARACTERS, lang))}</p>}
    </aside>
  );
}

function coloured(text: string, isJson: boolean) {
  if (!isJson) return text;
  return tokens(text).map((token, i) => (
    token.kind ? <span key={i} class={`json-${token.kind}`}>{token.text}</span> : token.text
  ));
}
