// A form that publishes an event to the topic in view.

import type { TargetedKeyboardEvent } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { hrefOf, route } from '../app/route';
import { ask, refusalOf, type Refusal as Why } from '../hub/api';
import { Attempt } from '../lib/attempt';
import { bytes, clock } from '../lib/format';
import { isJson, laidOut } from '../lib/json';
import { useStore } from '../lib/store';
import { isPattern, topicPath, withParameter } from '../lib/topics';
import { Field, Status } from '../parts/field';
import { Refusal } from '../parts/refusal';
import { useText } from '../text';

/// As many of the last are listed.
const RECENT = 10;

interface Published {
  id: string;
  name: string;
  time: Date;
  data: string;
}

interface Draft {
  data: string;
  name: string;
  id: string;
}

async function publish(attempt: Attempt, topic: string, { data, name, id }: Draft, reopen: boolean): Promise<string> {
  let path = topicPath(topic);
  if (name) path = withParameter(path, 'event', name);
  if (id) path = withParameter(path, 'id', id);
  if (reopen) path = withParameter(path, 'reopen', '1');
  const headers = {
    'Content-Type': 'text/plain;charset=UTF-8',
    'Idempotency-Key': attempt.key(JSON.stringify([path, data])),
  };
  const reply = await ask(path, { method: 'POST', body: data, headers });
  const published = await reply.json() as { id: string };
  attempt.done();
  return published.id;
}

async function end(topic: string): Promise<string> {
  const reply = await ask(topicPath(topic), { method: 'DELETE' });
  return (await reply.json() as { end_id: string }).end_id;
}

export function Publish() {
  const { t } = useText();
  const text = t.publish;
  const { topic } = useStore(route);
  const [data, setData] = useState('');
  const [name, setName] = useState('');
  const [id, setId] = useState('');
  const [attempt] = useState(() => new Attempt());
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Why | null>(null);
  const [recent, setRecent] = useState<Published[]>([]);
  const json = useMemo(() => laidOut(data), [data]);
  const valid = useMemo(() => isJson(data), [data]);
  const title = <h1>{text.title}<code>{topic}</code></h1>;
  if (isPattern(topic)) return <>{title}<p class="empty">{text.pattern}</p></>;

  const send = async (e: Event, reopen = false) => {
    e.preventDefault();
    if (busy) return;
    setBusy(true);
    try {
      const published = await publish(attempt, topic, { data, name, id }, reopen);
      setRefusal(null);
      setRecent(before => [{ id: published, name, time: new Date(), data }, ...before].slice(0, RECENT));
    } catch (error) {
      setRefusal(refusalOf(error));
    } finally {
      setBusy(false);
    }
  };
  const key = (e: TargetedKeyboardEvent<HTMLTextAreaElement>) => {
    if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) void send(e);
  };
  const looksLikeJson = /^\s*[[{]/.test(data);
  return (
    <>
      {title}
      <form class="publish-form" onSubmit={send}>
        <Field label={text.data} hint={text.keys} wide>
          <textarea rows={8} value={data} spellcheck={false} onInput={e => setData(e.currentTarget.value)} onKeyDown={key} />
        </Field>
        <p class="under">
          <span>{bytes(new Blob([data]).size)}</span>
          {looksLikeJson && <span class={valid ? 'good' : 'warn'}>{valid ? text.isJson : text.notJson}</span>}
          <button type="button" class="small" disabled={json === null} onClick={() => setData(json ?? data)}>{text.format}</button>
        </p>
        <div class="two">
          <Field label={text.name} hint={text.nameHint}>
            <input value={name} spellcheck={false} autocomplete="off" onInput={e => setName(e.currentTarget.value)} />
          </Field>
          <Field label={text.id} hint={text.idHint}>
            <input value={id} spellcheck={false} autocomplete="off" onInput={e => setId(e.currentTarget.value)} />
          </Field>
        </div>
        <div class="actions">
          <button class="main" disabled={busy}>{busy ? text.sending : text.send}</button>
          {recent[0] && !refusal && <Status kind="good">{text.done(recent[0].id)}</Status>}
        </div>
      </form>
      {refusal && <Refusal why={refusal} />}
      {refusal?.code === 'topic-closed' && (
        <p><button type="button" onClick={e => void send(e, true)}>{text.reopen}</button></p>
      )}
      {recent.length > 0 && (
        <section aria-label={text.recent}>
          <h2>{text.recent}</h2>
          <ol class="recent">
            {recent.map(one => (
              <li key={one.id}>
                <time>{clock(one.time)}</time>
                <a href={hrefOf({ view: 'live', topic })}><code>{one.id}</code></a>
                {one.name && <code>{one.name}</code>}
                <span class="data">{one.data.slice(0, 200)}</span>
              </li>
            ))}
          </ol>
        </section>
      )}
      <Ending topic={topic} />
    </>
  );
}

/// Closes the topic for good, or until somebody opens it again; asks first.
function Ending({ topic }: { topic: string }) {
  const { t } = useText();
  const text = t.publish;
  const [asks, setAsks] = useState(false);
  const [ended, setEnded] = useState<string | null>(null);
  const [refusal, setRefusal] = useState<Why | null>(null);
  const close = () => {
    setAsks(false);
    end(topic).then(
      id => { setEnded(id); setRefusal(null); },
      error => setRefusal(refusalOf(error)),
    );
  };
  return (
    <section class="ending" aria-label={text.end}>
      <h2>{text.end}</h2>
      <p class="quiet">{text.endNote}</p>
      <div class="actions">
        {asks ? (
          <>
            <strong role="alert">{text.endSure}</strong>
            <button type="button" class="danger" onClick={close}>{text.endYes}</button>
            <button type="button" onClick={() => setAsks(false)}>{text.endNo}</button>
          </>
        ) : <button type="button" onClick={() => setAsks(true)}>{text.end}</button>}
        {ended && <Status kind="good">{text.ended(ended)}</Status>}
      </div>
      {refusal && <Refusal why={refusal} />}
    </section>
  );
}
