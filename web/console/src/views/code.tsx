// The lines for the topic in view, to be copied.

import { useRef } from 'preact/hooks';
import { route } from '../app/route';
import { HUB, token } from '../hub/api';
import { CLIENT, linesFor } from '../lib/lines';
import { useStore } from '../lib/store';
import { Copy } from '../parts/copy';
import { useText } from '../text';

export function Code() {
  const { t } = useText();
  const text = t.code;
  const { topic } = useStore(route);
  const guarded = useStore(token) !== '';
  const lines = linesFor(HUB.href, topic, guarded);
  return (
    <>
      <h1>{text.title}<code>{topic}</code></h1>
      <p class="quiet">{guarded ? text.tokenNote : text.lede}{lines.publish === null && ` ${text.patternNote}`}</p>
      <section aria-label="curl">
        <h2>curl</h2>
        {lines.publish !== null && <Line name="curl-publish" title={text.shellPublish} text={lines.publish} />}
        <Line name="curl-watch" title={text.shellWatch} text={lines.watch} />
        <Line name="curl-history" title={text.shellHistory} text={lines.history} />
      </section>
      <section aria-label="JavaScript">
        <h2>JavaScript{guarded && <small>{text.clientNote}</small>}</h2>
        <Line name="javascript" title={text.shellWatch} text={lines.javascript} />
      </section>
      <section aria-label="React">
        <h2>React<small>{text.clientNote}</small></h2>
        <Line name="react" title={text.shellWatch} text={lines.react} />
      </section>
      <section aria-label="@tidings/client">
        <h2>@tidings/client<small>{text.clientGet}</small></h2>
        <Line name="client-make" title={text.clientMake} text={CLIENT.make} />
        <Line name="client-add" title={text.clientAdd} text={CLIENT.add} />
      </section>
      <section aria-label="Python">
        <h2>Python<small>{text.pythonNote}</small></h2>
        {lines.pythonPublish !== null && <Line name="python-publish" title={text.shellPublish} text={lines.pythonPublish} />}
        <Line name="python-watch" title={text.shellWatch} text={lines.pythonWatch} />
      </section>
    </>
  );
}

function Line({ name, title, text }: { name: string; title: string; text: string }) {
  const pre = useRef<HTMLPreElement>(null);
  return (
    <div class="line" data-line={name}>
      <div><h3>{title}</h3><Copy text={text} shownIn={pre} label={title} /></div>
      <pre ref={pre} tabIndex={0} aria-label={title}>{text}</pre>
    </div>
  );
}
