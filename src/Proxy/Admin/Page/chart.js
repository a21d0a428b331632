// Lines over time, drawn by uPlot in the colours of the theme.
import { html, useEffect, useRef } from './vendor/preact.js';

const color = name => {
  // A custom property holds "light-dark(…)": a colour that is in use is resolved.
  const probe = document.body.appendChild(document.createElement('i'));
  probe.style.color = `var(--${name})`;
  const { color: found } = getComputedStyle(probe);
  probe.remove();
  return found;
};
const fade = text => text.replace(/^rgb\((.*)\)$/, 'rgba($1, .14)');
const pad = value => String(value).padStart(2, '0');
const clock = (seconds, withSeconds) => {
  const at = new Date(1000 * seconds);
  return `${pad(at.getHours())}:${pad(at.getMinutes())}${withSeconds ? `:${pad(at.getSeconds())}` : ''}`;
};

function create(at, { lines, format, withSeconds, top }, data) {
  const [quiet, border] = [color('quiet'), color('line')];
  const font = '12px system-ui, sans-serif';
  const axis = { stroke: quiet, font, grid: { stroke: border, width: 1 }, ticks: { show: false }, gap: 6 };
  return new globalThis.uPlot({
    width: at.clientWidth, height: 180, legend: { show: false }, cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: { x: { time: false }, y: { range: (_, min, max) => [0, top ?? (max > 0 ? max * 1.1 : 1)] } },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 70, values: (_, ticks) => ticks.map(tick => clock(tick, withSeconds)) },
      { ...axis, size: 72, space: 42, values: (_, ticks) => ticks.map(format) }],
    series: [{}, ...lines.map(({ tone, isFilled }) => ({
      stroke: color(tone), width: 1.75, spanGaps: false, points: { show: false }, fill: isFilled ? fade(color(tone)) : undefined,
    }))],
    hooks: { setCursor: [plot => at.dispatchEvent(new CustomEvent('point', { detail: plot.cursor.idx }))] },
  }, data, at);
}

// {title, lines: [{name, tone, values}], from, step, format}: the legend shows the values below the pointer, else the newest.
export function Chart({ title, lines, from, step, format, top, note }) {
  const at = useRef(null);
  const legend = useRef(null);
  const plot = useRef(null);
  const newest = useRef(null);
  const withSeconds = step < 60;
  const start = new Date(from) / 1000;
  const data = [lines[0].values.map((_, n) => start + n * step), ...lines.map(line => line.values)];
  const write = index => {
    const [times, ...values] = newest.current;
    const n = index ?? times.length - 1;
    for (const [k, item] of [...legend.current.children].entries())
      item.lastChild.textContent = k < values.length ? format(values[k][n]) : `at ${clock(times[n] ?? 0, withSeconds)}`;
  };
  newest.current = data;

  useEffect(() => {
    const build = () => {
      plot.current?.destroy();
      plot.current = create(at.current, { lines, format, withSeconds, top }, newest.current);
    };
    build();
    const sized = new ResizeObserver(() => plot.current.setSize({ width: at.current.clientWidth, height: 180 }));
    sized.observe(at.current);
    const point = event => write(event.detail);
    at.current.addEventListener('point', point);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', build);
    addEventListener('theme', build);
    return () => {
      sized.disconnect();
      dark.removeEventListener('change', build);
      removeEventListener('theme', build);
      plot.current.destroy();
      plot.current = null;
    };
  }, [step]);
  useEffect(() => {
    plot.current.setData(data);
    if (plot.current.cursor.idx === null || plot.current.cursor.left < 0) write(null);
  });

  return html`<figure class="panel chart"><figcaption><h2>${title}</h2><p class="quiet">${note}</p></figcaption>
    <ul class="legend" ref=${legend}>${lines.map(line => html`<li key=${line.name}><i class=${line.tone} /><span>${line.name}</span><b /></li>`)}<li class="quiet"><span></span></li></ul>
    <div class="plot" ref=${at} role="img" aria-label=${`${title}: ${lines.map(line => `${line.name} ${format(line.values.at(-1))}`).join(', ')} now`} /></figure>`;
}
