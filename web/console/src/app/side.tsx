// The way to the views, the topic in view, and how the hub is.

import type { TargetedEvent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { hubState, stats } from '../hub/watching';
import { span } from '../lib/format';
import { useStore } from '../lib/store';
import { isSelector } from '../lib/topics';
import { Icon } from '../parts/icon';
import { useText } from '../text';
import { HUB_VIEWS, TOPIC_VIEWS, go, hrefOf, route, type View } from './route';
import { Settings } from './settings';

export function Side() {
  const { t } = useText();
  return (
    <header class="side">
      <div class="brand">
        <a href={hrefOf({ ...route.get(), view: 'overview' })}><Mark />Tidings</a>
        <HubLine />
        <Settings />
      </div>
      <nav aria-label={t.navigation}>
        <Group name={t.hubGroup} views={HUB_VIEWS} />
        <TopicForm />
        <Group name={t.topicGroup} views={TOPIC_VIEWS} />
      </nav>
    </header>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="20" height="20" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="3.5" stroke-linecap="round">
      <circle cx="7" cy="25" r="3.2" fill="currentColor" stroke="none" /><path d="M6 14a12 12 0 0 1 12 12M6 5a21 21 0 0 1 21 21" />
    </svg>
  );
}

function Group({ name, views }: { name: string; views: readonly View[] }) {
  const { t } = useText();
  const shown = useStore(route);
  return (
    <ul aria-label={name}>
      {views.map(view => (
        <li key={view}>
          <a href={hrefOf({ view, topic: shown.topic })} aria-current={view === shown.view ? 'page' : undefined}>
            <Icon name={view} /><span>{t.views[view]}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}

function TopicForm() {
  const { t } = useText();
  const { view, topic } = useStore(route);
  const [text, setText] = useState(topic);
  useEffect(() => setText(topic), [topic]);
  const isValid = isSelector(text.trim());
  const isAbsent = text.trim() === '';
  const submit = (e: TargetedEvent<HTMLFormElement>) => {
    e.preventDefault();
    if (!isValid) return;
    const ofTopics = TOPIC_VIEWS.some(one => one === view);
    go({ view: ofTopics ? view : 'live', topic: text.trim() });
  };
  return (
    <form class="topic-form" onSubmit={submit}>
      <label for="topic">{t.topicField}</label>
      <div class="joined">
        <input
          id="topic" value={text} required spellcheck={false} autocomplete="off" autocapitalize="off"
          aria-invalid={!isValid && !isAbsent} aria-describedby="topic-hint" onInput={e => setText(e.currentTarget.value)}
        />
        <button disabled={!isValid}>{t.go}</button>
      </div>
      <p id="topic-hint" class={isValid || isAbsent ? 'hint' : 'hint bad'}>
        {isValid || isAbsent ? t.topicHint : t.topicInvalid}
      </p>
    </form>
  );
}

/// Whether the hub is heard, what it is and for how long it has been up.
function HubLine() {
  const { t } = useText();
  const { feed } = useStore(hubState);
  const now = useStore(stats);
  return (
    <p class="hub-line">
      <span class={`dot ${feed}`} role="status" aria-label={t.feed[feed]} title={t.feed[feed]} />
      {now && feed === 'open'
        ? <span>{now.version}<span class="uptime"> · {t.up} {span(now.uptime, t.units)}</span></span>
        : <span>{t.feed[feed]}</span>}
    </p>
  );
}
