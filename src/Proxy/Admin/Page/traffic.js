// Requests, hits and bytes over the last minutes or the last day.
import { html, useState } from './vendor/preact.js';
import { useResource } from './live.js';
import { Chart } from './chart.js';
import { Choice, Empty, Failed, Figure, Panel, Section, Waiting } from './parts.js';
import { clock, count, duration, failure, milliseconds, percent, rate, size } from './words.js';

const perSecond = (values, step) => values.map(value => value === null ? null : value / step);

// A moving share: single seconds with one request would jump between 0 and 100 %.
function ratio(hits, misses, window) {
  let [h, m] = [0, 0];
  return hits.map((_, n) => {
    h += hits[n] - (n >= window ? hits[n - window] : 0);
    m += misses[n] - (n >= window ? misses[n - window] : 0);
    return h + m > 0 ? h / (h + m) : null;
  });
}

const plain = value => value === null || value === undefined ? '–' : value === 0 ? '0' : value < 10 ? value.toFixed(1) : count(value);

function Charts({ span, window }) {
  const { from, step } = span;
  const per = step < 60 ? 'each second' : 'each minute, per second';
  return html`<div class="charts">
    <${Chart} title="Requests per second" note=${per} from=${from} step=${step} format=${plain} lines=${[
      { name: 'All', tone: 'accent', values: perSecond(span.requests, step), isFilled: true }, { name: 'Failed', tone: 'bad', values: perSecond(span.errors, step) }]} />
    <${Chart} title="Answered from the cache" note=${`share of answers, mean of ${duration(window * step)}`} from=${from} step=${step} format=${percent} top=${1}
      lines=${[{ name: 'Hits', tone: 'accent', values: ratio(span.hits, span.misses, window), isFilled: true }]} />
    <${Chart} title="Hits and misses" note=${per} from=${from} step=${step} format=${plain} lines=${[
      { name: 'Hits', tone: 'accent', values: perSecond(span.hits, step), isFilled: true }, { name: 'Misses', tone: 'warn', values: perSecond(span.misses, step) }]} />
    <${Chart} title="Bytes" note="served to clients, fetched from PACS" from=${from} step=${step} format=${rate} lines=${[
      { name: 'Served', tone: 'accent', values: perSecond(span.bytesServed, step), isFilled: true }, { name: 'Fetched', tone: 'warn', values: perSecond(span.bytesFetched, step) }]} />
  </div>`;
}

const Backends = ({ backends }) => html`<${Panel} title="PACS" note="last 5 minutes">
  <div class="scroll" tabindex="0" role="region" aria-label="PACS in numbers"><table><thead><tr><th scope="col">PACS</th><th scope="col" class="number">Requests</th><th scope="col" class="number">Half within</th><th scope="col" class="number">95 % within</th>
    <th scope="col" class="number">In flight</th><th scope="col" class="number">Waiting</th><th scope="col" class="number">Failed</th><th scope="col">Last failure</th></tr></thead>
  <tbody>${Object.entries(backends).map(([name, use]) => html`<tr key=${name}><th scope="row">${name}</th><td class="number">${count(use.requests)}</td>
    <td class="number">${milliseconds(use.p50Ms)}</td><td class="number">${milliseconds(use.p95Ms)}</td><td class="number">${count(use.inFlight)} of ${count(use.limit)}</td>
    <td class="number">${count(use.waiting)}</td><td class="number">${percent(use.errorRate)}</td>
    <td class="wide">${use.lastError ? `${failure(use.lastError)}, ${clock(use.lastErrorAt)}` : 'none'}</td></tr>`)}</tbody></table></div><//>`;

export function Traffic() {
  const [span, setSpan] = useState('recent');
  const { data, error } = useResource('/traffic', span === 'recent' ? 3000 : 30000);
  const totals = data?.totals;
  const answers = totals ? totals.hits + totals.misses : 0;
  return html`<${Section} title="Traffic" lead="What clients ask for, and how much of it the PACS need not send again."
    actions=${html`<${Choice} label="Time" value=${span} set=${setSpan} options=${[['recent', '5 minutes'], ['day', '24 hours']]} />`}>
    <${Failed} error=${error} what="The traffic" />
    <div class="figures">
      <${Figure} name="Requests" value=${count(totals?.requests)} note=${totals ? `${count(totals.errors)} failed` : null} />
      <${Figure} name="Answered from the cache" value=${answers > 0 ? percent(totals.hits / answers) : '–'} note=${totals ? `${count(totals.hits)} of ${count(answers)}` : null} />
      <${Figure} name="Bytes not fetched again" value=${size(totals?.bytesSaved)} note=${totals ? `${size(totals.bytesServed)} served` : null} />
      <${Figure} name="Time saved" value=${totals ? duration(totals.secondsSaved) : '–'} note="of waiting, estimated" />
    </div>
    ${data ? html`<${Charts} span=${data[span]} window=${span === 'recent' ? 10 : 10} />` : !error && html`<${Panel} label="Loading"><${Waiting} lines=${8} /><//>`}
    ${data && Object.keys(data.backends).length > 0 && html`<${Backends} backends=${data.backends} />`}
    ${data && totals.requests === 0 && html`<${Panel} label="Traffic"><${Empty} title="No request yet">Open a study in a viewer, or search under <a href="#studies">Studies</a>. The lines move at once.<//><//>`}
    <p class="quiet">Totals count since the start of the proxy. The history is kept in memory and ends with the process.</p><//>`;
}
