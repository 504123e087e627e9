// How the hub is: figures of now, charts of the last minutes, who is busiest.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { hrefOf, route } from '../app/route';
import type { Sample, Stats } from '../hub/own';
import { hubState, samples, stats, topics } from '../hub/watching';
import { bytes, count, rate, whole } from '../lib/format';
import { useStore } from '../lib/store';
import { Chart } from '../parts/chart';
import { Refusal } from '../parts/refusal';
import { TopicLink } from '../parts/topic-link';
import { useText } from '../text';

const RANGES = [2, 5, 15];
const BUSIEST = 8;

export function Overview() {
  const { t } = useText();
  const { refusal } = useStore(hubState);
  const now = useStore(stats);
  const all = useStore(samples);
  if (refusal) return <><h1>{t.overview.title}</h1><Refusal why={refusal} admin /></>;
  return (
    <>
      <h1>{t.overview.title}</h1>
      <Figures now={now} last={all.at(-1)} />
      <Charts all={all} />
      <Busiest />
    </>
  );
}

function Figures({ now, last }: { now: Stats | null; last: Sample | undefined }) {
  const { t, lang } = useText();
  const text = t.overview;
  const n = (value: number) => count(value, lang);
  const size = (value: number | null | undefined) => (value === null || value === undefined ? t.unknown : bytes(value));
  const perSecond = (value: number | undefined) => (value === undefined ? t.unknown : rate(value, lang));
  return (
    <dl class="figures">
      <Figure name={text.watchers} note={now && text.watchersNote(now.connections, n(now.connections))}>
        {now ? n(now.subscribers) : t.unknown}
      </Figure>
      <Figure name={text.published} unit={t.perSecond} note={now && text.publishedNote(n(now.published))}>
        {perSecond(last?.published)}
      </Figure>
      <Figure name={text.deliveries} unit={t.perSecond} note={now && text.deliveriesNote(n(now.deliveries))}>
        {perSecond(last?.deliveries)}
      </Figure>
      <Figure
        name={text.lag} bad={(now?.lagging ?? 0) > 0}
        note={now && (now.lagging > 0 ? text.lagNote(n(now.lagging)) : text.lagNone)}
      >
        {size(now?.lag_bytes)}
      </Figure>
      <Figure name={text.memory} note={now && text.memoryNote(size(now.tail_bytes))}>{size(now?.rss_bytes)}</Figure>
      <Figure
        name={text.store}
        note={now && (now.store_events === null ? null : text.storeNote(now.store_events, n(now.store_events)))}
      >
        {size(now?.store_bytes)}
      </Figure>
    </dl>
  );
}

function Figure({ name, unit, note, bad, children }: {
  name: string; unit?: string; note: string | null; bad?: boolean; children: ComponentChildren;
}) {
  return (
    <div class={bad ? 'figure bad' : 'figure'}>
      <dt>{name}</dt>
      <dd class="value">{children}{unit && <small>{unit}</small>}</dd>
      <dd class="note">{note ?? '\u00a0'}</dd>
    </div>
  );
}

function Charts({ all }: { all: Sample[] }) {
  const { t, lang } = useText();
  const [minutes, setMinutes] = useState(RANGES[0] as number);
  const text = t.overview;
  const perSecond = (n: number) => rate(n, lang);
  const shared = { samples: all, seconds: minutes * 60 };
  return (
    <section aria-label={text.charts}>
      <div class="bar">
        <h2>{text.charts}</h2>
        <div class="segments" role="group" aria-label={text.range}>
          {RANGES.map(n => (
            <button key={n} type="button" aria-pressed={n === minutes} onClick={() => setMinutes(n)}>{text.minutes(n)}</button>
          ))}
        </div>
      </div>
      <div class="charts">
        <Chart
          {...shared} title={text.deliveries} format={perSecond}
          series={[{ label: text.perSecond, colour: 'series-1', value: s => s.deliveries }]}
        />
        <Chart
          {...shared} title={text.lag} format={bytes} bytes
          series={[{ label: text.seriesLag, colour: 'series-3', value: s => s.lag }]}
        />
        <Chart
          {...shared} title={text.memory} format={bytes} bytes
          series={[
            { label: text.seriesRss, colour: 'series-1', value: s => s.rss },
            { label: text.seriesTail, colour: 'series-2', value: s => s.tail },
          ]}
        />
        <Chart
          {...shared} title={text.published} format={perSecond}
          series={[{ label: text.perSecond, colour: 'series-2', value: s => s.published }]}
        />
        <Chart
          {...shared} title={text.sent} format={bytes} bytes
          series={[{ label: text.perSecond, colour: 'series-4', value: s => s.bytes }]}
        />
        <Chart
          {...shared} title={text.cpu} format={n => `${rate(n, lang)} %`}
          series={[{ label: text.seriesCpu, colour: 'series-4', value: s => s.cpu }]}
        />
      </div>
    </section>
  );
}

function Busiest() {
  const { t, lang } = useText();
  const seen = useStore(topics);
  const shown = useStore(route);
  const lines = seen?.topics.slice(0, BUSIEST) ?? [];
  const most = Math.max(...lines.map(line => line.rate), 1e-9);
  return (
    <section aria-label={t.overview.busiest}>
      <div class="bar">
        <h2>{t.overview.busiest}</h2>
        <a href={hrefOf({ ...shown, view: 'topics' })}>{t.overview.all}</a>
      </div>
      {lines.length === 0 ? <p class="empty">{seen ? t.overview.quiet : t.overview.waiting}</p> : (
        <ol class="busiest">
          {lines.map(line => (
            <li key={line.topic}>
              <TopicLink topic={line.topic} />
              <span class="meter" aria-hidden="true"><i style={{ width: `${(line.rate / most) * 100}%` }} /></span>
              <span class="number">{rate(line.rate, lang)}{t.perSecond}</span>
              <span class="number quiet">{whole(line.events, lang)}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
