// A chart of the last minutes.

import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { colour, repaint } from '../app/theme';
import type { Sample } from '../hub/own';
import { clock } from '../lib/format';
import { useStore } from '../lib/store';

export interface Series {
  label: string;
  value: (sample: Sample) => number | null;
  colour: string;
}

const HEIGHT = 140;
/// The shortest time that fills the width, until there is more to show.
const SHORTEST = 30;
const AXIS_WIDTH = 58;
/// Steps of an axis of bytes: powers of two, which its labels show as round figures.
const BYTE_STEPS = Array.from({ length: 40 }, (_, i) => 2 ** i);

/// Times along the bottom, as of the reader's clock.
function times(_: uPlot, ticks: number[]): string[] {
  const digits = ticks.every(at => at % 60 === 0) ? 5 : 8;
  return ticks.map(at => clock(new Date(at * 1000)).slice(0, digits));
}

interface Looks {
  series: Series[];
  seconds: number;
  format: (n: number) => string;
  /// Whether the values are numbers of bytes.
  bytes?: boolean;
}

function options(
  width: number, { series, seconds, format, bytes }: Looks, onPoint: (i: number | null) => void,
): uPlot.Options {
  const window = (first: number, last: number): [number, number] =>
    [last - Math.min(seconds, Math.max(SHORTEST, last - first)), last];
  const quiet = colour('quiet');
  const grid = { stroke: colour('line'), width: 1 };
  const font = '11px system-ui, sans-serif';
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    padding: [10, 18, 0, 0],
    scales: {
      x: { range: (_, first: number | null, last: number | null) => window(first ?? 0, last ?? Date.now() / 1000) },
      // Where there is nothing, as much as makes round figures of the axis.
      y: { range: (_, __, most) => [0, most > 0 ? most * 1.15 : (bytes ? 1024 : 4)] },
    },
    axes: [
      { stroke: quiet, font, grid: { show: false }, ticks: { show: false }, values: times, space: 80, size: 26 },
      {
        stroke: quiet, font, grid, ticks: { show: false }, values: (_, v) => v.map(format), size: AXIS_WIDTH, space: 26,
        ...(bytes && { incrs: BYTE_STEPS }),
      },
    ],
    series: [{}, ...series.map((one, i) => {
      const stroke = colour(one.colour);
      const line = { label: one.label, stroke, width: 1.5, points: { show: false } };
      return i === 0 ? { ...line, fill: stroke.replace(/^rgb\((.*)\)$/, 'rgba($1, 0.1)') } : line;
    })],
    hooks: { setCursor: [plot => onPoint(plot.cursor.idx ?? null)] },
  };
}

export function Chart({ title, samples, ...looks }: Looks & { title: string; samples: readonly Sample[] }) {
  const { series, seconds, format } = looks;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [point, setPoint] = useState<number | null>(null);
  const painted = useStore(repaint);
  const labels = series.map(one => one.label).join();
  const last = samples.at(-1);
  const shown = samples.filter(sample => last && sample.at >= last.at - seconds);

  useEffect(() => {
    const div = place.current as HTMLDivElement;
    const made = new uPlot(options(div.clientWidth, looks, setPoint), undefined, div);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: div.clientWidth, height: HEIGHT }));
    observer.observe(div);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [painted, labels, seconds]);

  useEffect(() => {
    const columns = series.map(one => shown.map(one.value));
    plot.current?.setData([shown.map(sample => sample.at), ...columns] as uPlot.AlignedData);
  }, [samples, painted, labels, seconds]);

  const at = (point === null ? undefined : shown[point]) ?? last;
  const figure = (one: Series) => {
    const value = at && one.value(at);
    return value === null || value === undefined ? '–' : format(value);
  };
  const alternative = `${title}: ${series.map(one => `${one.label} ${figure(one)}`).join(', ')}`;
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        <dl class="legend">
          {series.map(one => (
            <div key={one.label}>
              <dt><i class={`swatch ${one.colour}`} />{one.label}</dt>
              <dd>{figure(one)}</dd>
            </div>
          ))}
        </dl>
        <span class="at">{point !== null && at ? clock(new Date(at.at * 1000)).slice(0, 8) : ''}</span>
      </figcaption>
      <div class="plot" ref={place} role="img" aria-label={alternative} data-points={shown.length} />
    </figure>
  );
}
