// The last entries of the log that warn: filtered here, and saved as a table.
import { html, useEffect, useState } from './vendor/preact.js';
import { useResource } from './live.js';
import { Choice, Empty, Failed, Icon, Panel, Section, State, Waiting, download } from './parts.js';
import { ago, clock, count, many } from './words.js';

// A cell that begins with one of these is a formula to a spreadsheet.
const cell = value => { const text = String(value ?? ''); return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`; };
export const csv = rows => ['time,level,event,name,backend,count,message',
  ...rows.map(row => [row.time, row.level, row.event, row.name, row.backend, row.count, row.message].map(cell).join(','))].join('\r\n') + '\r\n';

const words = text => text?.replace(/([a-z])([A-Z])/g, (_, a, b) => `${a} ${b.toLowerCase()}`);

export function Warnings({ query }) {
  const { data, error } = useResource('/warnings', 10000);
  const [level, setLevel] = useState('all');
  const [text, setText] = useState(query.get('q') ?? '');
  useEffect(() => setText(query.get('q') ?? ''), [query.get('q')]);
  const wanted = text.trim().toLowerCase();
  const rows = (data ?? []).filter(row => (level === 'all' || row.level === level)
    && (!wanted || [row.message, row.name, row.backend, row.event].some(part => String(part ?? '').toLowerCase().includes(wanted))));
  const save = () => download(`warnings-${new Date().toISOString().slice(0, 16).replace(/:/g, '')}.csv`, 'text/csv;charset=utf-8', '\ufeff' + csv(rows));
  const lead = !data ? 'Asking the proxy…' : data.length === 0 ? 'Nothing to warn of since the start.' : `The last ${many(data.length, 'warning')} since the start, the newest ${ago(data[0].time)}.`;
  return html`<${Section} title="Warnings" lead=${lead} actions=${html`<button type="button" onClick=${save} disabled=${rows.length === 0}>Save as CSV</button>`}>
    <div class="search"><label class="field grow"><span class="hidden">Filter</span><${Icon} name="search" /><input type="search" value=${text} onInput=${event => setText(event.target.value)} placeholder="Filter by words, PACS or event" /></label>
      <${Choice} label="Level" value=${level} set=${setLevel} options=${[['all', 'All'], ['error', 'Errors'], ['warning', 'Warnings']]} /></div>
    <${Failed} error=${error} what="The list of warnings" />
    <${Panel} label="Warnings">${!data ? !error && html`<${Waiting} lines=${8} />` : rows.length === 0 ? html`<${Empty} title=${data.length === 0 ? 'No warnings' : 'No warning matches'}>
      ${data.length === 0 ? 'PACS that fail, damaged files and full disks are listed here.' : 'Change the filter or the level.'}<//>`
    : html`<ol class="warnings">${rows.slice(0, 200).map(row => html`<li key=${row.id}>
        <${State} kind=${row.level === 'error' ? 'bad' : 'warn'}>${row.level === 'error' ? 'Error' : 'Warning'}<//>
        <div><p>${row.message}</p><p class="quiet">${[words(row.name), row.backend, row.count > 1 && `${count(row.count)} times`].filter(part => part).join(' · ')}</p></div>
        <time dateTime=${row.time}>${clock(row.time, true)}</time></li>`)}</ol>`}<//>
    ${rows.length > 200 && html`<p class="quiet">The newest 200 of ${count(rows.length)} are shown; the CSV has all.</p>`}<//>`;
}
