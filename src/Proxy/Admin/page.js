'use strict';
// Set all values from PACS, such as patient names, as text, never as markup.
const at = id => document.getElementById(id);
const base = location.origin + location.pathname.replace(/\/$/, '');
const value = (row, tag) => { const v = row[tag]?.Value?.[0]; return v?.Alphabetic ?? v ?? ''; };
const cell = (row, text, name) => { const td = row.insertCell(); td.textContent = text ?? ''; if (name) td.className = name; };
const size = bytes => bytes < 1e9 ? (bytes / 1e6).toFixed(1) + ' MB' : (bytes / 1e9).toFixed(1) + ' GB';
const json = async path => { const answer = await fetch(base + path, { headers: { Accept: 'application/json' } }); return { answer, body: await answer.json() }; };

async function showBackends() {
  const [{ body }, { body: cache }] = await Promise.all([json('/health/ready'), json('/cache')]);
  showCache(cache);
  const rows = at('backends');
  rows.replaceChildren();
  for (const [name, state] of Object.entries(body.backends)) {
    const row = rows.insertRow();
    cell(row, name);
    cell(row, state.circuit === 'open' ? state.state + ', circuit open' : state.state, state.state);
    cell(row, state.since ? new Date(state.since).toLocaleTimeString() : '');
    cell(row, cache.backends[name]?.studies ?? '–', 'number');
    row.title = Object.entries(state.destinations).map(([name, health]) => `${name}: ${health}`).join(', ');
    cell(row, state.asked, 'number');
    cell(row, state.failed, 'number');
    cell(row, state.opened, 'number');
    cell(row, state.lastFailure);
  }
}

function showCache(body) {
  const rows = at('cache');
  rows.replaceChildren();
  for (const tier of ['memory', 'disk']) {
    const of = body[tier];
    const row = rows.insertRow();
    cell(row, tier);
    cell(row, of.state ?? 'ready', { ready: 'up', 'not configured': 'unknown' }[of.state ?? 'ready'] ?? 'down');
    cell(row, of.entries, 'number');
    cell(row, `${size(of.bytes)} of ${size(of.maxBytes)}`, 'number');
    cell(row, of.hits, 'number');
    cell(row, of.hitRatio === null ? '–' : (100 * of.hitRatio).toFixed(0) + ' %', 'number');
    cell(row, of.evictions, 'number');
    cell(row, of.oldest ? new Date(of.oldest).toLocaleString() : '');
    cell(row, of.reason);
  }
  at('store').textContent = `${body.store.studies} studies in the metadata store (${size(body.store.bytes)} in memory)`;
}

async function showStudies() {
  const { answer, body } = await json('/dicomweb/studies?limit=100&includefield=StudyDescription');
  at('warning').textContent = answer.headers.get('Warning') ?? (answer.ok ? '' : body.detail);
  const rows = at('studies');
  rows.replaceChildren();
  if (!answer.ok) return;
  for (const study of body) {
    const row = rows.insertRow();
    cell(row, value(study, '00080020').replace(/(\d{4})(\d\d)(\d\d)/, '$1-$2-$3'));
    cell(row, value(study, '00100010'));
    cell(row, value(study, '00081030'));
    cell(row, (study['00080061']?.Value ?? []).join(' '));
    cell(row, value(study, '00201206'), 'number');
    cell(row, value(study, '00201208'), 'number');
  }
}

async function showJobs() {
  const { body } = await json('/prefetch');
  const rows = at('jobs');
  rows.replaceChildren();
  for (const job of body.slice(0, 20)) {
    const row = rows.insertRow();
    cell(row, new Date(job.created).toLocaleTimeString());
    cell(row, job.why);
    cell(row, job.state, { done: 'up', failed: 'down' }[job.state] ?? 'unknown');
    for (const of of ['studies', 'series', 'frames']) cell(row, `${job[of].done} of ${job[of].total}`, 'number');
    cell(row, job.bytes.total > 0 ? `${size(job.bytes.done)} of ${size(job.bytes.total)}` : job.cached > 0 ? 'already cached' : '–', 'number');
    const failed = job.errors.length > 0 ? `${job.errors.length} failed: ${job.errors[0].reason}` : null;
    cell(row, [job.waiting, job.reason, failed].filter(text => text).join('; '));
    row.title = job.StudyInstanceUIDs.join('\n');
  }
}

// Jobs report progress several times a second: read the list at most once a second, and once more after the last event.
const jobs = { due: false, reading: false };
async function refreshJobs() {
  jobs.due = true;
  if (jobs.reading) return;
  jobs.reading = true;
  while (jobs.due) {
    jobs.due = false;
    await showJobs().catch(() => {});
    await new Promise(resolve => setTimeout(resolve, 1000));
  }
  jobs.reading = false;
}

// The browser reconnects by itself and sends the id of the last event that it received.
function listen() {
  const source = new EventSource(base + '/events');
  const names = ['SERIES_ADDED', 'INSTANCES_ADDED', 'STUDY_REMOVED', 'SERIES_REMOVED', 'SERIES_MOVED', 'BACKEND_UP', 'BACKEND_DOWN', 'PREFETCH_PROGRESS', 'gap'];
  for (const name of names) source.addEventListener(name, event => showEvent(name, JSON.parse(event.data)));
  source.onopen = () => { at('listening').textContent = 'Listening'; at('listening').className = 'unknown'; };
  source.onerror = () => { at('listening').textContent = 'Not connected; reconnecting'; at('listening').className = 'down'; };
}

// Describes a further member of an event: the progress of a job, the length of a list.
function describe([member, value]) {
  if (member === 'job') return `${value.why} ${value.state}: ${value.studies.done} of ${value.studies.total} studies, ${value.frames.done} of ${value.frames.total} frames`;
  return `${member}: ${Array.isArray(value) ? value.length : value}`;
}

function showEvent(name, { StudyInstanceUID: study, backend, madeInClient, ...more }) {
  const rows = at('events');
  const row = rows.insertRow(0);
  if (name === 'PREFETCH_PROGRESS') refreshJobs();
  cell(row, new Date().toLocaleTimeString());
  cell(row, name, name === 'BACKEND_DOWN' || name === 'gap' ? 'down' : '');
  cell(row, backend);
  cell(row, study);
  cell(row, Object.entries(more).map(describe).join(', '));
  while (rows.rows.length > 20) rows.deleteRow(20);
}

at('root').textContent = base + '/dicomweb';
for (const path of ['/dicomweb/studies', '/store/studies', '/prefetch', '/cache', '/health/ready', '/ohif/app-config.js', '/ohif/dicomweb.json']) {
  const link = document.createElement('a');
  link.href = link.textContent = base + path;
  at('try').appendChild(document.createElement('li')).appendChild(link);
}
at('ohif').textContent = JSON.stringify({
  namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'proxy',
  configuration: {
    friendlyName: 'All PACS', name: 'proxy', qidoRoot: base + '/dicomweb', wadoRoot: base + '/dicomweb', wadoUriRoot: base + '/dicomweb',
    imageRendering: 'wadors', thumbnailRendering: 'wadors', enableStudyLazyLoad: true, supportsWildcard: true, omitQuotationForMultipartRequest: true,
  },
}, null, 2);
listen();
showStudies().then(showBackends).then(refreshJobs);
