// What the page knows of the proxy: answers that are read again at a low rate while somebody looks, and the events.
import { useEffect, useState } from './vendor/preact.js';

export const base = location.origin + location.pathname.replace(/\/$/, '');

const names = ['SERIES_ADDED', 'INSTANCES_ADDED', 'STUDY_REMOVED', 'SERIES_REMOVED', 'SERIES_MOVED', 'BACKEND_UP', 'BACKEND_DOWN', 'PREFETCH_PROGRESS', 'gap'];
const maxEvents = 200;
const pause = 1000;

// A problem (RFC 9457) says in words what is wrong.
export class Refusal extends Error {
  constructor(status, text) { super(text); this.status = status; }
}

export async function ask(path, { method = 'GET', body, signal, accept = 'application/json' } = {}) {
  let answer;
  try {
    answer = await fetch(base + path, {
      method, signal, headers: { Accept: accept, ...(body && { 'Content-Type': 'application/json' }) }, body: body && JSON.stringify(body),
    });
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new Refusal(0, 'The proxy does not answer. Is it running?');
  }
  const text = await answer.text();
  let json = null;
  try { json = text ? JSON.parse(text) : null; } catch { /* not JSON: the status tells */ }
  // A proxy that is not ready reports its state with 503.
  if (!answer.ok && !json?.backends) throw new Refusal(answer.status, json?.detail ?? json?.title ?? `The proxy answered with status ${answer.status}.`);
  return { json, answer };
}

// An address that several parts of the page show: read once for all of them, and never twice within a second.
class Resource {
  constructor(path) {
    this.path = path;
    this.state = { data: null, error: null };
    this.watchers = new Set();
    this.timer = null;
    this.last = -Infinity;
    this.reading = false;
    this.due = false;
  }

  get every() { return Math.min(...[...this.watchers].map(watcher => watcher.every)); }

  watch(watcher) {
    this.watchers.add(watcher);
    this.refresh();
    return () => { this.watchers.delete(watcher); if (this.watchers.size === 0) this.stop(); };
  }

  stop() { clearTimeout(this.timer); this.timer = null; }

  set(state) {
    this.state = state;
    for (const watcher of this.watchers) watcher.show(state);
  }

  refresh() {
    if (this.reading) { this.due = true; return; }
    if (this.watchers.size === 0 || document.hidden) return;
    this.stop();
    const wait = this.last + pause - performance.now();
    if (wait > 0) this.timer = setTimeout(() => this.read(), wait);
    else this.read();
  }

  async read() {
    this.stop();
    this.reading = true;
    this.due = false;
    this.last = performance.now();
    try {
      this.set({ data: (await ask(this.path)).json, error: null });
    } catch (error) {
      this.set({ data: this.state.data, error });
    }
    this.reading = false;
    if (this.due) this.refresh();
    else if (this.watchers.size > 0 && !document.hidden && Number.isFinite(this.every)) this.timer = setTimeout(() => this.read(), this.every);
  }
}

const resources = new Map();
const get = path => { if (!resources.has(path)) resources.set(path, new Resource(path)); return resources.get(path); };

export const refresh = path => get(path).refresh();

// {data, error}: both null before the first answer, and for no path; old data stays while the proxy does not answer.
const nothing = { data: null, error: null };
export function useResource(path, every = Infinity) {
  const resource = path ? get(path) : null;
  const [state, show] = useState(resource?.state ?? nothing);
  useEffect(() => { show(resource?.state ?? nothing); return resource?.watch({ every, show }); }, [path, every]);
  return state;
}

// Who uses the page, and what they may do. While the proxy does not answer, nothing is hidden: each part says what is wrong.
export function useCaller() {
  const { data, error } = useResource('/caller', 60000);
  const hasEnded = error?.status === 401;
  return { name: data?.name ?? '', kind: data?.authentication, hasEnded, isKnown: Boolean(data ?? error), may: role => data ? data.roles.includes(role) : Boolean(error) && !hasEnded };
}

// ---- Events
const feed = { events: [], state: 'connecting', jobs: new Map(), source: null, next: 0 };
const listeners = new Set();
let isDue = false;
const tell = () => {
  if (isDue) return;
  isDue = true;
  setTimeout(() => { isDue = false; for (const listener of listeners) listener({}); }, 250);
};

function take(name, event) {
  const data = event.data ? JSON.parse(event.data) : {};
  if (name === 'PREFETCH_PROGRESS') {
    feed.jobs.set(data.job.id, data.job);
    refresh('/prefetch');
  } else {
    feed.events.unshift({ key: ++feed.next, name, at: Date.now(), data });
    feed.events.length = Math.min(feed.events.length, maxEvents);
  }
  if (name.startsWith('BACKEND_')) refresh('/health/ready?watch=true');
  for (const follow of followers) follow(name, data);
  tell();
}

function listen() {
  feed.source = new EventSource(base + '/events');
  for (const name of names) feed.source.addEventListener(name, event => take(name, event));
  feed.source.onopen = () => { feed.state = 'live'; tell(); };
  feed.source.onerror = () => { feed.state = 'reconnecting'; tell(); };
}

// A hidden page sends no requests and closes its event stream.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    feed.source?.close();
    feed.source = null;
    for (const resource of resources.values()) resource.stop();
  } else {
    if (!feed.source) listen();
    for (const resource of resources.values()) resource.refresh();
  }
});
if (!document.hidden) listen();

const followers = new Set();
export const follow = listener => { followers.add(listener); return () => followers.delete(listener); };

export function useFeed() {
  const [, show] = useState();
  useEffect(() => { listeners.add(show); return () => listeners.delete(show); }, []);
  return feed;
}
