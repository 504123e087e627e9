// The page: beside the views, the way to them.

import { useEffect, useRef } from 'preact/hooks';
import { useStore } from '../lib/store';
import { useText } from '../text';
import { Code } from '../views/code';
import { Connections } from '../views/connections';
import { History } from '../views/history';
import { Live } from '../views/live';
import { Overview } from '../views/overview';
import { Presence } from '../views/presence';
import { Publish } from '../views/publish';
import { Topics } from '../views/topics';
import { Side } from './side';
import { route, type View } from './route';

const VIEWS: Record<View, () => preact.JSX.Element> = {
  overview: Overview,
  topics: Topics,
  connections: Connections,
  live: Live,
  history: History,
  publish: Publish,
  presence: Presence,
  code: Code,
};

export function App() {
  const { t, lang } = useText();
  const { view, topic, since } = useStore(route);
  const main = useRef<HTMLElement>(null);
  const Shown = VIEWS[view];
  useEffect(() => {
    document.documentElement.lang = lang === 'zh' ? 'zh-CN' : lang;
    document.title = `${t.views[view]} · Tidings`;
  }, [lang, view]);
  const skip = (e: Event) => {
    e.preventDefault();
    main.current?.focus();
  };
  return (
    <div class="app">
      <a class="skip" href="#main" onClick={skip}>{t.skip}</a>
      <Side />
      <main id="main" ref={main} tabIndex={-1} class={`view ${view}`}>
        <Shown key={view === 'overview' ? view : `${view} ${topic} ${since ?? ''}`} />
      </main>
    </div>
  );
}
