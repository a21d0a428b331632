// The operator's page: its frame, and the section that the address names after "#".
import { html, render, useEffect, useErrorBoundary, useState } from './vendor/preact.js';
import { ask, base, refresh, useCaller, useFeed, useResource } from './live.js';
import { Icon, Notice, Waiting } from './parts.js';
import { Cache } from './cache.js';
import { Jobs } from './jobs.js';
import { Overview } from './overview.js';
import { Settings } from './settings.js';
import { Studies } from './studies.js';
import { Traffic } from './traffic.js';
import { Warnings } from './warnings.js';
import { list } from './words.js';

// Each with the role that it needs.
const sections = [
  ['overview', 'Overview', Overview, 'operator'], ['traffic', 'Traffic', Traffic, 'operator'], ['studies', 'Studies', Studies, 'viewer'],
  ['prefetch', 'Prefetch', Jobs, 'viewer'], ['warnings', 'Warnings', Warnings, 'operator'], ['cache', 'Cache', Cache, 'operator'],
  ['settings', 'Settings', Settings, 'operator'],
];

// #studies?q=… names a section and what it shows.
function readAddress() {
  const [name, query] = location.hash.slice(1).split('?');
  return { name: sections.some(([key]) => key === name) ? name : 'overview', query: new URLSearchParams(query) };
}

function useAddress() {
  const [address, setAddress] = useState(readAddress);
  useEffect(() => {
    const follow = () => setAddress(readAddress());
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return address;
}

const themes = [['system', 'System'], ['light', 'Light'], ['dark', 'Dark']];
function Theme() {
  const [theme, setTheme] = useState(document.documentElement.dataset.theme ?? 'system');
  const choose = next => {
    setTheme(next);
    if (next === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try { localStorage.setItem('theme', next); } catch { /* no storage: the choice lasts as long as the page */ }
    dispatchEvent(new Event('theme'));
  };
  return html`<label class="theme"><span class="hidden">Theme</span><select value=${theme} onChange=${event => choose(event.target.value)}>
    ${themes.map(([key, text]) => html`<option key=${key} value=${key} selected=${key === theme}>${text}</option>`)}</select></label>`;
}

function Connection() {
  const { state } = useFeed();
  const [kind, words] = { live: ['good', 'Live'], connecting: ['busy', 'Connecting'], reconnecting: ['bad', 'Not connected'] }[state];
  return html`<span class="state ${kind}" role="status"><${Icon} name=${kind} />${words}</span>`;
}

const Mark = () => html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7" />
  <path d="M8 8.5 16 16M8 16h8M8 23.5 16 16M16 16h9" /><g><circle cx="7.5" cy="8" r="3" /><circle cx="7.5" cy="16" r="3" /><circle cx="7.5" cy="24" r="3" /><circle cx="25" cy="16" r="4" /></g></svg>`;

function Badge({ name }) {
  const health = useResource('/health/ready?watch=true', 8000).data;
  const jobs = useResource('/prefetch', 30000).data;
  if (name === 'overview') {
    const down = Object.values(health?.backends ?? {}).filter(backend => backend.state === 'down').length;
    return down > 0 ? html`<span class="badge bad">${down} down</span>` : null;
  }
  const running = (jobs ?? []).filter(job => job.state === 'running' || job.state === 'queued').length;
  return running > 0 ? html`<span class="badge">${running}</span>` : null;
}

const Nav = ({ current, allowed }) => html`
  <nav aria-label="Sections"><ul>${allowed.map(([key, title]) => html`
    <li key=${key}><a href=${`#${key}`} aria-current=${key === current ? 'page' : null}><${Icon} name=${key} />${title}
      ${(key === 'overview' || key === 'prefetch') && html`<${Badge} name=${key} />`}</a></li>`)}</ul></nav>`;

const statuses = {
  starting: 'The proxy is starting.', stopping: 'The proxy is stopping: open downloads end, and no new request should be sent to it.',
  unusable: 'The proxy cannot work: its cache folder cannot be read. See the cache.',
};

// A PACS that does not answer is named above every section, because every section may lack its data.
function Outage() {
  const { data, error } = useResource('/health/ready?watch=true', 8000);
  if (error) return html`<${Notice} kind="bad"><p class="strong">The proxy does not answer</p><p>${error.message} What follows may be old.</p><//>`;
  const down = Object.entries(data?.backends ?? {}).filter(([, backend]) => backend.state === 'down').map(([name]) => name);
  if (data && statuses[data.status]) return html`<${Notice} kind="bad"><p class="strong">${statuses[data.status]}</p><//>`;
  return down.length === 0 ? null : html`<${Notice} kind="bad"><p><strong>${list(down)} ${down.length === 1 ? 'is' : 'are'} not answering.</strong>${' '}
    Lists lack the studies that only ${down.length === 1 ? 'it has' : 'they have'}; cached studies still open.</p><//>`;
}

function Guard({ children }) {
  const [error, reset] = useErrorBoundary();
  return error ? html`<${Notice} kind="bad"><p class="strong">This section failed</p><p>${String(error.message)}</p>
    <button type="button" onClick=${reset}>Show it again</button><//>` : children;
}

const here = () => encodeURIComponent(location.pathname + location.hash);

function User({ caller, leave }) {
  if (!caller.name) return null;
  return html`<span class="user" aria-label="Signed in"><b>${caller.name}</b>${caller.kind === 'Oidc' && html`<button type="button" class="small" onClick=${leave}>Sign out</button>`}</span>`;
}

// A session ends with its token; then only a page of the identity provider can begin another one.
const SignedOut = ({ words }) => html`<${Notice}><p class="strong">${words}</p><p><a href=${`${base}/sign-in?returnUrl=${here()}`}>Sign in again</a></p><//>`;

function App() {
  const { name: asked, query } = useAddress();
  const caller = useCaller();
  const [hasLeft, setLeft] = useState(false);
  const allowed = hasLeft ? [] : sections.filter(([, , , role]) => caller.may(role));
  const [name, title, Content] = allowed.find(([key]) => key === asked) ?? allowed[0] ?? [null, 'Page', null];
  const leave = async () => {
    const { json } = await ask('/sign-out', { method: 'POST' });
    if (json?.providerUrl) location.assign(json.providerUrl); else setLeft(true);
  };
  useEffect(() => { document.title = `${title} – DICOMweb proxy`; scrollTo(0, 0); }, [name]);
  return html`
    <a class="skip" href="#main" onClick=${event => { event.preventDefault(); document.getElementById('title')?.focus(); }}>Skip to the content</a>
    <header class="top"><a class="brand" href="#overview"><${Mark} /><span><b>DICOMweb proxy</b><small>${location.host}</small></span></a><span class="right"><${Connection} />${!hasLeft && html`<${User} caller=${caller} leave=${leave} />`}<${Theme} /></span></header>
    <${Nav} current=${name} allowed=${allowed} />
    <main id="main">${hasLeft ? html`<${SignedOut} words="You have signed out" />` : caller.hasEnded ? html`<${SignedOut} words="Your session has ended" />` : html`<${Outage} />
      ${Content ? html`<${Guard} key=${name}><${Content} query=${query} /><//>` : !caller.isKnown ? html`<${Waiting} lines=${6} />`
        : html`<${Notice}><p class="strong">You may not see anything here</p><p>An administrator assigns roles in Security:Roles.</p><//>`}`}</main>`;
}

addEventListener('online', () => refresh('/health/ready?watch=true'));
render(html`<${App} />`, document.getElementById('app'));
