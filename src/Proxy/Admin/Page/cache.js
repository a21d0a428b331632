// What is cached, by tier and by PACS, against its budget.
import { html, useState } from './vendor/preact.js';
import { ask, refresh, useResource } from './live.js';
import { Bar, Confirm, Fact, Failed, Panel, Section, State, Waiting } from './parts.js';
import { ago, count, list, many, percent, size } from './words.js';

function tierState(tier) {
  if (!tier.state || tier.state === 'ready') return ['good', 'Ready'];
  return tier.state === 'not configured' ? ['quiet', 'Not configured'] : ['bad', tier.state[0].toUpperCase() + tier.state.slice(1)];
}

function Tier({ name, tier, more }) {
  const [kind, word] = tierState(tier);
  const isUsed = kind !== 'quiet';
  return html`<article class="panel tier" aria-label=${name}><header><h2>${name}</h2><${State} kind=${kind}>${word}<//></header>
    ${tier.reason && html`<p>${tier.reason}</p>`}
    ${!isUsed ? html`<p class="quiet">Set <code>Cache:Disk:Path</code> to a folder, and cached studies survive a restart.</p>` : html`
      <p class="budget"><b>${size(tier.bytes)}</b> of ${size(tier.maxBytes)}<span class="quiet">${tier.maxBytes > 0 ? percent(tier.bytes / tier.maxBytes) : ''}</span></p>
      <${Bar} done=${tier.bytes - tier.ahead} more=${tier.ahead} total=${tier.maxBytes} label=${`${name} in use`} />
      ${tier.scanning && html`<p class="quiet">The folder is being counted: the numbers still grow.</p>`}
      <dl class="facts">
        <${Fact} name="Entries">${count(tier.entries)}<//>
        <${Fact} name="Found" note=${`${count(tier.hits)} of ${count(tier.hits + tier.misses)} lookups`}>${percent(tier.hitRatio)}<//>
        <${Fact} name="Evicted" note="to make room">${count(tier.evictions)}<//>
        <${Fact} name="Oldest">${tier.oldest ? ago(tier.oldest) : '–'}<//>
        <${Fact} name="Prefetched" note="not requested yet">${size(tier.ahead)}<//>
        ${more}</dl>`}</article>`;
}

const Backends = ({ backends }) => html`<${Panel} title="By PACS">
  <div class="scroll" tabindex="0" role="region" aria-label="The cache by PACS"><table><thead><tr><th scope="col">PACS</th><th scope="col" class="number">Studies</th><th scope="col" class="number">In memory</th><th scope="col" class="number">Found there</th>
    <th scope="col" class="number">On disk</th><th scope="col" class="number">Found there</th><th scope="col" class="number">Evicted</th></tr></thead>
  <tbody>${Object.entries(backends).map(([name, { studies, memory, disk }]) => html`<tr key=${name}><th scope="row">${name}</th><td class="number">${count(studies)}</td>
    <td class="number">${size(memory.bytes)}</td><td class="number">${percent(memory.hitRatio)}</td><td class="number">${size(disk.bytes)}</td><td class="number">${percent(disk.hitRatio)}</td>
    <td class="number">${count(memory.evictions + disk.evictions)}</td></tr>`)}</tbody></table></div><//>`;

export function Cache() {
  const { data, error } = useResource('/cache', 5000);
  const [isPurging, setPurging] = useState(false);
  const purge = async () => { await ask('/cache', { method: 'DELETE' }); refresh('/cache'); };
  const actions = html`<button type="button" class="danger" disabled=${!data} onClick=${() => setPurging(true)}>Purge all…</button>`;
  return html`<${Section} title="Cache" lead="Pictures and metadata that the PACS need not send again." actions=${actions}>
    <${Failed} error=${error} what="The cache" />
    ${!data && !error && html`<div class="cards"><${Panel} label="Loading"><${Waiting} lines=${6} /><//><${Panel} label="Loading"><${Waiting} lines=${6} /><//></div>`}
    ${data && html`<div class="cards">
      <${Tier} name="Memory" tier=${data.memory} more=${html`<${Fact} name="In transfer">${size(data.memory.inFlight)}<//>`} />
      <${Tier} name="Disk" tier=${data.disk} more=${data.disk.state === 'not configured' ? null : html`<${Fact} name="Damaged" note="found and deleted">${count(data.disk.damaged)}<//>`} /></div>
      <${Panel} title="Metadata store" note="in memory, part of its budget"><div class="pad">
        <p class="budget"><b>${size(data.store.bytes)}</b> of ${size(data.store.maxBytes)}<span class="quiet">${many(data.store.studies, 'study', 'studies')}</span></p>
        <${Bar} done=${data.store.bytes} total=${data.store.maxBytes} label="Metadata store in use" /></div><//>
      <${Backends} backends=${data.backends} />`}
    ${isPurging && html`<${Confirm} title="Purge the whole cache?" button="Purge everything" act=${purge} close=${() => setPurging(false)}>
      <p>These go: <strong>${many(data.memory.entries, 'entry', 'entries')} in memory</strong> (${size(data.memory.bytes)}), <strong>${many(data.disk.entries, 'entry', 'entries')} on disk</strong> (${size(data.disk.bytes)}),
        and the metadata of <strong>${many(data.store.studies, 'study', 'studies')}</strong>, of ${list(Object.keys(data.backends))}.</p>
      <p class="quiet">Nothing is deleted in a PACS. Until the cache is warm again, viewers wait for the PACS.</p><//>`}<//>`;
}
