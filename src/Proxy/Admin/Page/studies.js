// The studies of all PACS: found by name, ID, accession number or UID; who holds them, and what is cached.
import { html, useEffect, useRef, useState } from './vendor/preact.js';
import { ask, follow, refresh, useCaller, useResource } from './live.js';
import { Events } from './overview.js';
import { Bar, Confirm, Copy, Empty, Failed, Icon, Notice, Panel, Section, State, Waiting } from './parts.js';
import { ago, count, date, list, many, percent, person, size, time, value } from './words.js';

const most = 50;
const fields = 'StudyDescription,PatientID,AccessionNumber,ModalitiesInStudy,NumberOfStudyRelatedSeries,NumberOfStudyRelatedInstances';
const kinds = [['any', 'Name, ID, accession or UID'], ['PatientName', 'Patient name'], ['PatientID', 'Patient ID'], ['AccessionNumber', 'Accession number'], ['StudyInstanceUID', 'Study UID']];

const isUid = text => /^\d+(\.\d+){2,}$/.test(text);

// A name is matched as a part; the others whole. A text of digits and dots only can be a UID.
function searches(text, kind) {
  const pattern = /[*?]/.test(text) ? text : `*${text}*`;
  if (!text) return [''];
  if (kind === 'PatientName') return [`PatientName=${encodeURIComponent(pattern)}`];
  if (kind !== 'any') return [`${kind}=${encodeURIComponent(text)}`];
  if (isUid(text)) return [`StudyInstanceUID=${text}`];
  return ['PatientName=' + encodeURIComponent(pattern), 'PatientID=' + encodeURIComponent(text), 'AccessionNumber=' + encodeURIComponent(text)];
}

// Warning: 299 Proxy "words", once for each (RFC 9111 §5.5).
const warningsOf = header => [...(header ?? '').matchAll(/"([^"]*)"/g)].map(([, words]) => words);

async function search(text, kind, signal) {
  const queries = searches(text, kind);
  const answers = await Promise.allSettled(queries.map(query =>
    ask(`/dicomweb/studies?limit=${most}&includefield=${fields}${query && '&' + query}`, { signal, accept: 'application/dicom+json' })));
  const found = answers.filter(answer => answer.status === 'fulfilled').map(answer => answer.value);
  if (found.length === 0) throw answers[0].reason;
  const rows = new Map(found.flatMap(({ json }) => json ?? []).map(row => [value(row, '0020000D'), row]));
  const when = row => date(row) + time(row);
  return {
    rows: [...rows.values()].sort((a, b) => when(b) < when(a) ? -1 : 1).slice(0, most),
    warnings: [...new Set(found.flatMap(({ answer }) => warningsOf(answer.headers.get('Warning'))))],
  };
}

function useStudies(text, kind) {
  const [state, setState] = useState({ rows: null, warnings: [], error: null });
  const [round, setRound] = useState(0);
  const known = useRef(new Set());
  useEffect(() => {
    const stop = new AbortController();
    setState(before => ({ ...before, busy: true }));
    search(text, kind, stop.signal).then(found => setState({ ...found, error: null, new: round > 0 ? known.current : null }), error => {
      if (error.name !== 'AbortError') setState({ rows: [], warnings: [], error });
    });
    return () => stop.abort();
  }, [text, kind, round]);
  known.current = state.rows ? new Set(state.rows.map(row => value(row, '0020000D'))) : known.current;
  // A study that a PACS names for the first time may match: search again, once for all that arrive within some seconds.
  useEffect(() => {
    let timer = null;
    const leave = follow((name, data) => {
      const isNews = name === 'STUDY_REMOVED' ? known.current.has(data.StudyInstanceUID)
        : (name === 'SERIES_ADDED' || name === 'INSTANCES_ADDED') && !known.current.has(data.StudyInstanceUID);
      if ((isNews || name === 'BACKEND_UP') && !timer) timer = setTimeout(() => { timer = null; setRound(n => n + 1); }, 1500);
    });
    return () => { clearTimeout(timer); leave(); };
  }, []);
  return [state, () => setRound(n => n + 1)];
}

// One request says of all rows which PACS hold them and what is cached.
const maxAsked = 50;
function useHoldings(rows, isOperator) {
  const uids = (rows ?? []).map(row => value(row, '0020000D')).slice(0, maxAsked);
  const path = uids.length > 0 ? `/cache/studies?StudyInstanceUID=${uids.join(',')}` : '/cache/studies';
  const { data } = useResource(isOperator ? path : null, 10000);
  return [new Map((data ?? []).map(study => [study.StudyInstanceUID, study])), () => refresh(path)];
}

const sum = (holding, read) => Object.values(holding?.backends ?? {}).reduce((all, held) => all + read(held), 0);
const bytesOf = holding => sum(holding, held => Math.max(held.memory.bytes, held.disk.bytes));
const shareOf = holding => {
  const backends = Object.values(holding?.backends ?? {});
  return backends.length === 0 ? null : Math.max(...backends.map(held => held.cachedShare ?? 0));
};

const Held = ({ holding, instances }) => html`<span class="held">${Object.entries(holding?.backends ?? {}).map(([name, held]) => html`
  <span class="chip" key=${name} title=${`${name}: ${many(held.instances, 'instance')}`}>${name}${held.instances < instances ? html`<small> ${count(held.instances)}</small>` : ''}</span>`)}</span>`;

function Holders({ study, row, holding }) {
  const all = Number(value(row, '00201208')) || Math.max(0, ...Object.values(holding?.backends ?? {}).map(held => held.instances));
  const { data, error } = useResource(`/store/studies/${study}`);
  const lists = new Map((data?.seriesLists ?? []).map(found => [found.backend, found]));
  if (error) return html`<p class="quiet">The proxy has no series list of this study yet. It is read when the study is opened.</p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="PACS that hold the study"><table><thead><tr><th scope="col">PACS</th><th scope="col">Complete</th><th scope="col" class="number">Series</th><th scope="col" class="number">Instances</th>
      <th scope="col">Cached</th><th scope="col" class="number">In memory</th><th scope="col" class="number">On disk</th><th scope="col">Last checked</th></tr></thead>
    <tbody>${Object.entries(holding?.backends ?? {}).map(([name, held]) => html`<tr key=${name}><th scope="row">${name}</th>
      <td>${held.instances === 0 ? html`<${State} kind="quiet">Not listed<//>` : held.instances >= all ? html`<${State} kind="good">Complete<//>` : html`<${State} kind="warn">Lacks ${many(all - held.instances, 'instance')}<//>`}</td>
      <td class="number">${count(lists.get(name)?.series.length ?? held.series)}</td><td class="number">${count(held.instances)}</td>
      <td><span class="share">${percent(held.cachedShare)}</span></td><td class="number">${size(held.memory.bytes)}</td><td class="number">${size(held.disk.bytes)}</td>
      <td>${held.checked ? ago(held.checked) : 'never'}</td></tr>`)}</tbody></table></div>`;
}

function Purge({ study, title, holding, close, done }) {
  const [memory, disk] = [sum(holding, held => held.memory.entries), sum(holding, held => held.disk.entries)];
  const act = async () => { await ask(`/cache/studies/${study}`, { method: 'DELETE' }); done(); };
  return html`<${Confirm} title="Purge this study from the cache?" button="Purge the study" act=${act} close=${close}>
    <p><strong>${title}</strong></p>
    <p>${memory + disk === 0 ? 'No picture of it is cached. ' : html`These go: <strong>${many(memory, 'entry', 'entries')} in memory</strong> (${size(sum(holding, held => held.memory.bytes))}) and
      <strong>${many(disk, 'entry', 'entries')} on disk</strong> (${size(sum(holding, held => held.disk.bytes))}), of ${list(Object.keys(holding?.backends ?? {}))}. `}
      Its stored metadata goes too.</p>
    <p class="quiet">Nothing is deleted in a PACS. The next viewer that opens the study fetches it again.</p><//>`;
}

// Opens denied studies for a stated reason, which the audit records.
function Emergency({ asked, close, done }) {
  const [target, setTarget] = useState(asked);
  const [reason, setReason] = useState('');
  const [what, why] = [target.trim(), reason.trim()];
  const act = async () => {
    const { json } = await ask('/emergency', { method: 'POST', body: { [isUid(what) ? 'study' : 'patientId']: what, reason: why } });
    done(what, new Date(json.until));
  };
  return html`<${Confirm} title="Open studies in an emergency" button="Open the studies" act=${act} close=${close} isReady=${what && why.length >= 5}>
    <p>You see studies that your rights do not cover, for looking only. Your name, the studies and the reason go to the audit record.</p>
    <label class="field"><span>Study UID or patient ID</span><input type="text" value=${target} maxlength="64" onInput=${event => setTarget(event.target.value)} autocomplete="off" spellcheck="false" /></label>
    <label class="field"><span>Reason, at least 5 characters</span><input type="text" value=${reason} maxlength="500" onInput=${event => setReason(event.target.value)} placeholder="Trauma room" autocomplete="off" /></label><//>`;
}

function Details({ study, row, holding, hasViewer, reload }) {
  const [isPurging, setPurging] = useState(false);
  const [note, setNote] = useState(null);
  const { may } = useCaller();
  const title = `${person(row) || 'Patient without a name'}, ${value(row, '00081030') || 'study without a description'}, ${date(row) || 'no date'}`;
  const prefetch = async () => {
    try {
      await ask('/prefetch', { method: 'POST', body: { studies: [study], priority: 'now' } });
      setNote(['good', html`Being fetched. <a href="#prefetch">See the job</a>.`]);
      refresh('/prefetch');
    } catch (e) { setNote(['bad', e.message]); }
  };
  const purged = () => { setNote(['good', 'Purged from the cache.']); reload(); };
  return html`<div class="details">
    <div class="actions">
      ${hasViewer && html`<a class="button primary" href=${`viewer/viewer?StudyInstanceUIDs=${study}`}>Open in the viewer</a>`}
      <a class=${hasViewer ? 'button' : 'button primary'} href=${`look?study=${study}`}>Quick look</a>
      ${may('prefetcher') && html`<button type="button" onClick=${prefetch}>Prefetch</button>`}
      ${may('operator') && html`<button type="button" class="danger" onClick=${() => setPurging(true)}>Purge…</button>`}</div>
    ${note && html`<p role="status"><${State} kind=${note[0]}>${note[1]}<//></p>`}
    ${may('operator') && html`<${Holders} study=${study} row=${row} holding=${holding} />`}
    <dl class="ids">${[['Patient ID', value(row, '00100020')], ['Accession', value(row, '00080050')], ['Study UID', study]].filter(([, text]) => text).map(([name, text]) => html`
      <div key=${name}><dt>${name}</dt><dd><code>${text}</code>${name === 'Study UID' && html`<${Copy} text=${text} label="Copy the study UID" />`}</dd></div>`)}</dl>
    <details><summary>Events of this study</summary><${Events} study=${study} /></details>
    ${isPurging && html`<${Purge} study=${study} title=${title} holding=${holding} close=${() => setPurging(false)} done=${purged} />`}</div>`;
}

function Study({ row, holding, isNew, isOpen, toggle, ...more }) {
  const study = value(row, '0020000D');
  const [instances, series] = [Number(value(row, '00201208')), Number(value(row, '00201206'))];
  const share = shareOf(holding);
  return html`<li class=${isOpen ? 'study open' : 'study'}><button type="button" class="row" aria-expanded=${isOpen} onClick=${toggle}>
      <span class="who"><b>${person(row) || 'Patient without a name'}</b><small>${value(row, '00100020') || 'no patient ID'}</small></span>
      <span class="what"><span>${value(row, '00081030') || 'Study without a description'}${isNew && html` <em class="chip new">New</em>`}</span><small>${[date(row), time(row)].filter(part => part).join(' ') || 'no date'}</small></span>
      <span class="mods">${(row['00080061']?.Value ?? []).join(' ')}</span>
      <span class="counts"><span>${many(instances, 'instance')}</span><small>${many(series, 'series', 'series')}</small></span>
      <${Held} holding=${holding} instances=${instances} />
      <span class="cached"><span>${share === null ? '\u00a0' : share > 0 ? `${percent(share)} cached` : 'Not cached'}</span>${share > 0 && html`<small>${size(bytesOf(holding))}</small>`}</span>
      <${Icon} name="open" /></button>
    ${isOpen && html`<${Details} study=${study} row=${row} holding=${holding} ...${more} />`}</li>`;
}

export function Studies({ query }) {
  const asked = query.get('q') ?? '';
  const [kind, setKind] = useState('any');
  const [text, setText] = useState(asked);
  const [open, setOpen] = useState(isUid(asked) ? asked : null);
  useEffect(() => { setText(asked); if (isUid(asked)) setOpen(asked); }, [asked]);
  const [{ rows, warnings, error, busy, new: before }, reload] = useStudies(asked, kind);
  const { may, name: user } = useCaller();
  const isOperator = may('operator');
  const [isEmergency, setEmergency] = useState(false);
  const [opened, setOpened] = useState(null);
  const begin = (what, until) => { setOpened({ what, until }); show(what); };
  const [holdings, reloadHoldings] = useHoldings(rows, isOperator);
  const hasViewer = useViewer(isOperator);
  const show = what => {
    const next = what ? `#studies?q=${encodeURIComponent(what)}` : '#studies';
    if (location.hash === next) reload(); else location.hash = next;
  };
  const submit = event => { event.preventDefault(); show(text.trim()); };
  const lead = asked ? html`Studies of all PACS that match <strong>${asked}</strong>.` : 'The newest studies of all PACS.';
  return html`<${Section} title="Studies" lead=${lead} actions=${user && may('emergency') && html`<button type="button" class="danger" onClick=${() => setEmergency(true)}>Emergency access…</button>`}>
    <form class="search" role="search" onSubmit=${submit}>
      <label class="field grow"><span class="hidden">Search for</span><${Icon} name="search" /><input type="search" name="q" value=${text} onInput=${event => setText(event.target.value)} placeholder="Name, ID, accession or UID" autocomplete="off" spellcheck="false" /></label>
      <label class="field"><span class="hidden">Search in</span><select value=${kind} onChange=${event => setKind(event.target.value)}>${kinds.map(([key, name]) => html`<option key=${key} value=${key} selected=${key === kind}>${key === 'any' ? 'Anywhere' : name}</option>`)}</select></label>
      <button type="submit" class="primary">Search</button></form>
    ${opened && html`<${Notice}><p><strong>Emergency access to ${opened.what} until ${opened.until.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })}.</strong> Each study that you open is recorded.</p><//>`}
    ${isEmergency && html`<${Emergency} asked=${asked} close=${() => setEmergency(false)} done=${begin} />`}
    ${warnings.length > 0 && html`<${Notice}>${warnings.map(words => html`<p key=${words}>${words}</p>`)}<//>`}
    <${Failed} error=${error} what="The list" retry=${reload} />
    <p class="hidden" role="status">${rows && !busy ? `${rows.length} studies` : ''}</p>
    ${!error && html`<${Panel} label="Studies">
      ${!rows ? html`<${Waiting} lines=${8} />` : rows.length === 0 ? html`<${Empty} title=${asked ? 'No PACS has such a study' : 'The PACS have no studies'}>
        ${asked ? 'Names match in part, also with * and ?; IDs, accession numbers and UIDs must be complete.' : 'Studies appear here as soon as a PACS has one.'}<//>`
      : html`<ul class="studies" id="studies">${rows.map(row => {
        const study = value(row, '0020000D');
        return html`<${Study} key=${study} row=${row} holding=${holdings.get(study)} isNew=${before && !before.has(study)} isOpen=${open === study} toggle=${() => setOpen(open === study ? null : study)}
          hasViewer=${hasViewer} reload=${reloadHoldings} />`;
      })}</ul>`}<//>`}
    ${rows?.length === most && html`<p class="quiet">The first ${most} are shown. Search to see others.</p>`}<//>`;
}

// OHIF is served if the settings name its folder. Who may not read the settings asks for its page.
function useViewer(isOperator) {
  const { data } = useResource(isOperator ? '/settings' : null);
  const [isThere, setThere] = useState(false);
  useEffect(() => {
    if (isOperator) return undefined;
    const stop = new AbortController();
    ask('/viewer/', { method: 'HEAD', accept: '*/*', signal: stop.signal }).then(() => setThere(true), () => setThere(false));
    return () => stop.abort();
  }, [isOperator]);
  return isOperator ? Boolean(data?.settings.some(setting => setting.key === 'Viewer:Path' && setting.value)) : isThere;
}
