// Prefetch jobs: why they exist, how far they are, and what stops them.
import { html, useState } from './vendor/preact.js';
import { ask, refresh, useCaller, useFeed, useResource } from './live.js';
import { Bar, Choice, Empty, Failed, Icon, Panel, Section, State, Waiting } from './parts.js';
import { clock, count, duration, list, many, percent, rate, reasons, shorten, size } from './words.js';

const states = {
  queued: ['pause', 'Waiting'], running: ['busy', 'Running'], done: ['good', 'Done'], failed: ['bad', 'Failed'], cancelled: ['quiet', 'Cancelled'],
};
const isActive = job => job.state === 'queued' || job.state === 'running';

// Frames are counted first; a job that has no frames, such as of reports, counts its instances.
function progress(job) {
  const unit = job.frames.total > 0 ? 'frames' : job.instances.total > 0 ? 'instances' : job.series.total > 0 ? 'series' : 'studies';
  return { ...job[unit], unit };
}

const hints = {
  queued: 'It begins when a slot is free.', running: null,
};

function Job({ job }) {
  const [error, setError] = useState(null);
  const { may } = useCaller();
  const [kind, word] = states[job.state] ?? ['quiet', job.state];
  const { done, total, unit } = progress(job);
  const act = async (path, options) => {
    setError(null);
    try { await ask(path, options); } catch (e) { setError(e); }
    refresh('/prefetch');
  };
  const remove = () => act(`/prefetch/${encodeURIComponent(job.id)}`, { method: 'DELETE' });
  const retry = async () => {
    await act('/prefetch', { method: 'POST', body: { studies: job.StudyInstanceUIDs, priority: 'now' } });
    await act(`/prefetch/${encodeURIComponent(job.id)}`, { method: 'DELETE' });
  };
  const seconds = job.started ? ((job.ended ? new Date(job.ended) : Date.now()) - new Date(job.started)) / 1000 : null;
  const what = job.StudyInstanceUIDs.length === 1
    ? html`<a class="uid" href=${`#studies?q=${job.StudyInstanceUIDs[0]}`} title=${job.StudyInstanceUIDs[0]}>${shorten(job.StudyInstanceUIDs[0])}</a>`
    : html`<span>${many(job.StudyInstanceUIDs.length, 'study', 'studies')}</span>`;
  const numbers = [
    total > 0 && `${count(done)} of ${count(total)} ${unit}`, job.bytes.done > 0 && size(job.bytes.done),
    isActive(job) && job.bytesPerSecond > 0 && rate(job.bytesPerSecond), seconds !== null && !isActive(job) && `in ${duration(seconds)}`,
    job.cached > 0 && `${count(job.cached)} were cached already`,
  ].filter(part => part).join(' · ');
  const story = [job.waiting && `Waits: ${job.waiting}.`, job.reason && `${job.reason[0].toUpperCase()}${job.reason.slice(1)}.`,
    !job.waiting && hints[job.state]].filter(part => part).join(' ');
  return html`<li class="job"><div class="line"><${State} kind=${kind}>${word}<//><strong>${reasons[job.why] ?? job.why}</strong>${what}<span class="quiet from">${job.root ? `from ${job.root}, ` : ''}${clock(job.created)}</span>
      <span class="actions">${!may('prefetcher') && !may('operator') ? null : isActive(job) ? html`<button type="button" class="small" onClick=${remove}>Cancel</button>` : html`
        ${job.state !== 'done' && html`<button type="button" class="small" onClick=${retry}>Retry</button>`}<button type="button" class="small" onClick=${remove}>Remove</button>`}</span></div>
    <${Bar} done=${done} total=${total} kind=${job.state} label=${`${reasons[job.why] ?? job.why}, ${word}`} />
    <p class="numbers"><span>${numbers || 'Nothing to count yet'}</span><span>${total > 0 ? percent(done / total) : ''}</span></p>
    ${story && html`<p class="quiet">${story}</p>`}
    ${job.errors.length > 0 && html`<details><summary><${Icon} name="warn" />${many(job.errors.length, 'part')} not fetched</summary><ul>${job.errors.slice(0, 20).map((one, n) => html`
      <li key=${n}><code title=${one.study}>${shorten(one.study)}</code> ${one.item && html`<code>${one.item}</code>`} ${one.reason}</li>`)}</ul></details>`}
    <${Failed} error=${error} what="The job" /></li>`;
}

export function Jobs() {
  const [which, setWhich] = useState('all');
  const { data, error } = useResource('/prefetch', 5000);
  const feed = useFeed();
  // Events carry newer numbers than the list, which is read once a second at most.
  const jobs = (data ?? []).map(job => {
    const newer = feed.jobs.get(job.id);
    return newer && isActive(job) && newer.bytes?.done >= job.bytes.done ? { ...job, ...newer } : job;
  });
  const shown = jobs.filter(job => which === 'all' || (which === 'active') === isActive(job));
  const active = jobs.filter(isActive).length;
  const failed = jobs.filter(job => job.state === 'failed').length;
  const lead = !data ? 'Asking the proxy…' : `${active === 0 ? 'No job' : many(active, 'job')} in progress${failed > 0 ? `, ${count(failed)} failed` : ''}. Client requests always go first.`;
  return html`<${Section} title="Prefetch" lead=${lead}
    actions=${html`<${Choice} label="Jobs" value=${which} set=${setWhich} options=${[['all', 'All'], ['active', 'In progress'], ['ended', 'Ended']]} />`}>
    <${Failed} error=${error} what="The list of jobs" />
    <${Panel} label="Jobs">${!data ? !error && html`<${Waiting} lines=${6} />` : shown.length === 0 ? html`<${Empty} title=${jobs.length === 0 ? 'No prefetch jobs' : 'No such jobs'}>
      ${jobs.length === 0 ? html`They begin when somebody opens a study: its series, the next studies of the list, and priors of the patient. Or start one under <a href="#studies">Studies</a>.` : 'Choose another list above.'}<//>`
    : html`<ul class="jobs" id="jobs">${shown.slice(0, 100).map(job => html`<${Job} key=${job.id} job=${job} />`)}</ul>`}<//>
    <p class="quiet">Ended jobs are listed for one hour.</p><//>`;
}
