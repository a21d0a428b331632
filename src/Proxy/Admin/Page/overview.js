// The first section: whether every PACS answers, how fast, and what happens.
import { html, useEffect, useState } from './vendor/preact.js';
import { ask, base, refresh, useFeed, useResource } from './live.js';
import { Bar, Copy, Dialog, Empty, Fact, Failed, Figure, Panel, Section, Spark, State, Waiting } from './parts.js';
import { clock, count, duration, failure, list, many, milliseconds, percent, rate, shorten, size } from './words.js';

const states = { up: ['good', 'Answering'], down: ['bad', 'Not answering'], unknown: ['quiet', 'Not asked yet'] };

function describe(backend) {
  if (backend.state === 'unknown') return 'The proxy has not asked it since the start.';
  const since = `since ${clock(backend.since)}`;
  const seconds = (Date.now() - new Date(backend.since)) / 1000;
  if (backend.state === 'up') return `Answering ${since}${seconds < 60 ? '' : `, for ${duration(seconds)}`}.`;
  const why = failure(backend.lastFailure);
  const probing = backend.circuit === 'open' ? ' It is asked again every few seconds.' : '';
  return `Not answering ${since}${why ? `: ${why}` : ''}.${probing}`;
}

const outcomes = { ok: ['good', 'Works'], warning: ['warn', 'Note'], failed: ['bad', 'Failed'], skipped: ['quiet', 'Skipped'] };
const checks = {
  reachable: 'Connection', authentication: 'Credential', root: 'DICOMweb root', searches: 'Searches', metadata: 'Metadata', frames: 'Frames',
  transferSyntax: 'Transfer syntax', validators: 'Validators', pageCap: 'Length of lists',
};

function Test({ name, close }) {
  const [{ report, error }, setState] = useState({});
  const run = async signal => {
    setState({});
    try { setState({ report: (await ask(`/backends/${encodeURIComponent(name)}/test`, { method: 'POST', signal })).json }); }
    catch (e) { if (e.name !== 'AbortError') setState({ error: e }); }
    refresh('/health/ready?watch=true');
  };
  useEffect(() => { const stop = new AbortController(); run(stop.signal); return () => stop.abort(); }, []);
  return html`<${Dialog} title=${`Test of ${name}`} close=${close}>
    ${!report && !error && html`<p role="status">Asking ${name} for a list, metadata and a frame…</p><${Waiting} lines=${6} />`}
    <${Failed} error=${error} what="The test" retry=${() => run()} />
    ${report && html`
      <p class="quiet">${[report.product, report.latencyMs !== null && report.latencyMs !== undefined && `answers in ${milliseconds(report.latencyMs)}`,
        report.bytesPerSecond && `sends ${rate(report.bytesPerSecond)}`].filter(part => part).join(' · ')}</p>
      <ul class="checks">${report.checks.map(check => html`<li key=${check.name}>
        <${State} kind=${outcomes[check.outcome]?.[0] ?? 'quiet'}>${outcomes[check.outcome]?.[1] ?? check.outcome}<//>
        <div><p class="strong">${checks[check.name] ?? check.name}</p>${check.detail && html`<p>${check.detail}</p>`}${check.remedy && html`<p class="remedy">${check.remedy}</p>`}</div></li>`)}</ul>`}
  <//>`;
}

function Backend({ name, backend, traffic, cache }) {
  const [isTesting, setTesting] = useState(false);
  const [kind, word] = states[backend.state] ?? ['quiet', backend.state];
  const use = traffic?.backends?.[name];
  const destinations = Object.entries(backend.destinations ?? {});
  return html`<article class="panel backend is-${kind}" aria-label=${name}>
    <header><h2>${name}</h2><${State} kind=${kind}>${word}<//></header>
    <p class="story">${describe(backend)}</p>
    <dl class="facts">
      <${Fact} name="Answers in" note=${use && use.p95Ms !== null ? html`95 % in ${milliseconds(use.p95Ms)}` : 'none in 5 min'}>${milliseconds(use?.p50Ms)}<//>
      <${Fact} name="Requests now" note=${use?.waiting > 0 ? `${many(use.waiting, 'request')} waiting` : use ? `of ${use.limit} at once` : null}>${use ? count(use.inFlight) : '–'}<//>
      <${Fact} name="Failed" note=${`${count(backend.failed ?? 0)} of ${count(backend.asked ?? 0)}`}>${percent(use ? use.errorRate : backend.asked > 0 ? backend.failed / backend.asked : 0)}<//>
      <${Fact} name="Studies known" note=${cache?.backends?.[name] ? `${size(cache.backends[name].disk.bytes + cache.backends[name].memory.bytes)} cached` : null}>${count(cache?.backends?.[name]?.studies)}<//>
    </dl>
    ${use && html`<${Bar} done=${use.inFlight} total=${use.limit} label=${`Requests at ${name}`} />`}
    ${backend.state !== 'down' && backend.lastFailure && html`<p class="quiet last">Last failure${use?.lastErrorAt ? ` at ${clock(use.lastErrorAt)}` : ''}: ${failure(backend.lastFailure)}.</p>`}
    ${destinations.length > 1 && html`<p class="quiet last">${destinations.map(([key, health]) => `${key}: ${health}`).join(', ')}</p>`}
    <footer><button type="button" onClick=${() => setTesting(true)} aria-label=${`Test now: ${name}`}>Test now</button><a href=${`#warnings?q=${encodeURIComponent(name)}`}>Warnings</a></footer>
    ${isTesting && html`<${Test} name=${name} close=${() => setTesting(false)} />`}
  </article>`;
}

const happenings = {
  SERIES_ADDED: data => ['good', `${many(data.SeriesInstanceUIDs?.length ?? 1, 'new series', 'new series')}`],
  INSTANCES_ADDED: data => ['good', `${many(data.instances ?? 1, 'new instance')}`],
  STUDY_REMOVED: () => ['warn', 'Study removed'], SERIES_REMOVED: () => ['warn', 'Series removed'],
  SERIES_MOVED: data => ['quiet', `Series now served by ${data.backend}, before by ${data.from}`],
  BACKEND_UP: data => ['good', `${data.backend} answers again`], BACKEND_DOWN: data => ['bad', `${data.backend} stopped answering`],
  gap: data => ['warn', data.lost ? `${many(data.lost, 'event')} missed` : 'Some events missed'],
};

export function Events({ study, most = 10 }) {
  const { events } = useFeed();
  const shown = events.filter(event => !study || event.data.StudyInstanceUID === study).slice(0, most);
  if (shown.length === 0) {
    return html`<${Empty} title="Nothing has happened since this page was opened">New series, series that move, and PACS that stop answering appear here at once.<//>`;
  }
  return html`<ol class="events">${shown.map(event => {
    const [kind, words] = (happenings[event.name] ?? (() => ['quiet', event.name]))(event.data);
    const uid = event.data.StudyInstanceUID;
    return html`<li key=${event.key}><time>${clock(event.at, true)}</time><${State} kind=${kind}>${words}<//>
      <span class="quiet">${[event.data.backend && !words.includes(event.data.backend) && `from ${event.data.backend}`].filter(part => part).join('')}</span>
      ${uid && !study && html`<a class="uid" href=${`#studies?q=${encodeURIComponent(uid)}`} title=${uid}>${shorten(uid)}</a>`}</li>`;
  })}</ol>`;
}

export function Overview() {
  const { data: health, error } = useResource('/health/ready?watch=true', 8000);
  const { data: cache } = useResource('/cache', 30000);
  const { data: traffic } = useResource('/traffic', 10000);
  const backends = Object.entries(health?.backends ?? {});
  const up = backends.filter(([, backend]) => backend.state === 'up');
  const rest = backends.filter(([, backend]) => backend.state === 'unknown').map(([name]) => name);
  const lead = !health ? 'Asking the proxy…' : `${up.length} of ${many(backends.length, 'PACS', 'PACS')} ${up.length === 1 ? 'answers' : 'answer'}.`
    + (rest.length > 0 ? ` ${list(rest)} ${rest.length === 1 ? 'has' : 'have'} not been asked yet.` : '');
  return html`<${Section} title="Overview" lead=${lead}>
    <${Figures} traffic=${traffic} />
    ${!health && !error && html`<div class="cards"><${Panel} label="Loading"><${Waiting} lines=${7} /><//><${Panel} label="Loading"><${Waiting} lines=${7} /><//></div>`}
    <div class="cards" id="backends">${backends.map(([name, backend]) => html`<${Backend} key=${name} name=${name} backend=${backend} traffic=${traffic} cache=${cache} />`)}</div>
    <div class="halves">
      <${Panel} title="Activity" note="Newest first"><${Events} /><//>
      <${Panel} title="Connect a viewer" note="DICOMweb root"><${Roots} names=${backends.map(([name]) => name)} /><//>
    </div><//>`;
}

function Roots({ names }) {
  const roots = [['All PACS', '/dicomweb'], ...names.map(name => [`Only ${name}`, `/backends/${encodeURIComponent(name)}/dicomweb`])];
  return html`<ul class="roots">${roots.map(([title, path]) => html`<li key=${path}><div><p class="strong">${title}</p><code>${base + path}</code></div><${Copy} text=${base + path} label=${`Copy the address of ${title}`} /></li>`)}</ul>
    <p class="quiet pad">One address serves QIDO-RS, WADO-RS and WADO-URI. A configuration for OHIF is under <a href="#settings">Settings</a>.</p>`;
}

function Figures({ traffic }) {
  const recent = traffic?.recent;
  const last = values => values ? values.slice(-10) : [];
  const sum = values => (values ?? []).reduce((all, value) => all + (value ?? 0), 0);
  const share = t => t && t.hits + t.misses > 0 ? t.hits / (t.hits + t.misses) : null;
  const perSecond = recent ? sum(last(recent.requests)) / Math.max(1, last(recent.requests).length * recent.step) : null;
  const totals = traffic?.totals;
  return html`<div class="figures">
    <${Figure} name="Requests per second" value=${perSecond === null ? '–' : perSecond.toFixed(perSecond < 10 ? 1 : 0)} note="mean of 10 s">
      ${recent && html`<${Spark} values=${recent.requests.slice(-120)} label="Requests per second in the last two minutes" />`}<//>
    <${Figure} name="Answered from the cache" value=${percent(share(totals))} note=${totals ? `${count(totals.hits)} of ${count(totals.hits + totals.misses)} answers` : null} />
    <${Figure} name="Not fetched again" value=${size(totals?.bytesSaved)} note="bytes saved since the start" />
    <${Figure} name="Time saved" value=${totals ? duration(totals.secondsSaved) : '–'} note="of waiting, estimated" />
  </div>`;
}
