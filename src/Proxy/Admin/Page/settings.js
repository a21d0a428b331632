// The settings in force, a configuration for OHIF, and the support bundle.
import { html, useState } from './vendor/preact.js';
import { base, useResource } from './live.js';
import { Copy, Empty, Failed, Icon, Panel, Section, Waiting } from './parts.js';
import { count, many } from './words.js';

// The plain data source of OHIF, for an app-config.js of one's own.
const source = () => JSON.stringify({
  namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'proxy',
  configuration: {
    friendlyName: 'All PACS', name: 'proxy', qidoRoot: base + '/dicomweb', wadoRoot: base + '/dicomweb', wadoUriRoot: base + '/dicomweb',
    qidoSupportsIncludeField: true, imageRendering: 'wadors', thumbnailRendering: 'wadors', enableStudyLazyLoad: true, supportsWildcard: true,
    omitQuotationForMultipartRequest: true, singlepart: 'video', bulkDataURI: { enabled: true },
  },
}, null, 2);

const show = value => value === '' || value === null || value === undefined ? html`<span class="quiet">empty</span>` : value;

function List() {
  const { data, error } = useResource('/settings');
  const [text, setText] = useState('');
  const [isChanged, setChanged] = useState(false);
  const all = data?.settings ?? [];
  const rows = all.filter(setting => (!isChanged || !setting.isDefault) && setting.key.toLowerCase().includes(text.trim().toLowerCase()));
  return html`<${Panel} title="In force" note=${data ? `${count(all.filter(one => !one.isDefault).length)} of ${many(all.length, 'setting')} differ from the default` : ''}>
    <div class="search pad"><label class="field grow"><span class="hidden">Filter the settings</span><${Icon} name="search" /><input type="search" value=${text} onInput=${event => setText(event.target.value)} placeholder="Filter by name" /></label>
      <label class="check"><input type="checkbox" checked=${isChanged} onChange=${event => setChanged(event.target.checked)} />Only what differs</label></div>
    <div class="pad"><${Failed} error=${error} what="The settings" /></div>
    ${!data ? !error && html`<${Waiting} lines=${8} />` : rows.length === 0 ? html`<${Empty} title="No setting matches">Change the filter.<//>` : html`
    <div class="scroll" tabindex="0" role="region" aria-label="Settings in force"><table class="settings"><thead><tr><th scope="col">Setting</th><th scope="col">Value</th><th scope="col">From</th></tr></thead>
      <tbody>${rows.map(setting => html`<tr key=${setting.key} class=${setting.isDefault ? 'default' : ''}><th scope="row"><code>${setting.key.split(':').flatMap((part, n) => n ? [':', html`<wbr />`, part] : [part])}</code></th>
        <td><code>${show(setting.value)}</code></td><td>${setting.source}</td></tr>`)}</tbody></table></div>`}<//>`;
}

function Ohif() {
  const [text] = useState(source);
  return html`<${Panel} title="OHIF"><div class="pad"><p>A complete <a href="ohif/app-config.js">app-config.js</a> for this address, or only the data source, for a configuration of your own:</p>
    <div class="snippet"><${Copy} text=${text} label="Copy the data source" /><pre tabindex="0" aria-label="Data source of OHIF">${text}</pre></div></div><//>`;
}

function Support() {
  const { data } = useResource('/openapi.json');
  return html`<${Panel} title="Support"><div class="pad">
  ${data?.paths?.['/support-bundle'] && html`<p>Versions, settings without secrets and addresses, states, the last warnings. No patient data and no UIDs.</p>
    <p class="actions"><a class="button primary" href="support-bundle" download>Download the support bundle</a></p>`}
  <p class="links"><a href="health/ready">Health</a><a href="metrics">Metrics</a><a href="openapi.json">OpenAPI</a><a href="store/studies">Metadata store</a></p></div><//>`;
}

export const Settings = () => html`<${Section} title="Settings" lead="The configuration that the proxy runs with. Secrets and addresses of PACS are hidden.">
  <div class="halves"><${Ohif} /><${Support} /></div><${List} /><//>`;
