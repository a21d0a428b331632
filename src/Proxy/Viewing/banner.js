// Tells a reader that a PACS is missing from what OHIF shows: OHIF ignores Warning. It runs in OHIF's page, so it looks only at
// answers of the proxy, keeps no global name, and leaves OHIF's requests as they are.
(function (proxy) {
  'use strict';
  if (typeof document === 'undefined' || typeof XMLHttpRequest === 'undefined') return;
  const HEADER = 'X-Failed-Backends', INTERVAL = 5000, PAUSE = 60000, LONGEST = 5, RELOADED = 'proxy-banner-reloaded';
  const roots = [proxy + '/dicomweb/', proxy + '/backends/'];
  const ask = window.fetch.bind(window);
  const missing = new Map(); // name of a PACS -> whether it answers again, while OHIF still shows what it had without it
  let bar = null, timer = 0;

  // 1. Every answer of the proxy, whichever way OHIF asks.
  window.fetch = function (...request) {
    const answer = ask(...request);
    answer.then(a => note(a.url, a.status, name => a.headers.get(name)), () => undefined);
    return answer;
  }
  const send = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function (...body) {
    this.addEventListener('load', () => note(this.responseURL, this.status, name => this.getResponseHeader(name)));
    return send.apply(this, body);
  }

  function note(url, status, read) {
    if (!roots.some(root => url.startsWith(root))) return;
    const failed = split(read(HEADER));
    for (const name of failed) missing.set(name, false);
    // A complete list is on the screen: nothing is missing from it. A study on the screen stays as it was loaded.
    if (failed.length === 0 && status < 300 && isList()) clear(url);
    show();
  }

  function split(header) {
    return (header || '').split(',').map(name => name.trim()).filter(Boolean);
  }

  function clear(url) {
    const path = url.slice(proxy.length).split('?')[0];
    if (path === '/dicomweb/studies') missing.clear();
    else if (path.endsWith('/dicomweb/studies')) missing.delete(decodeURIComponent(path.split('/')[2]));
  }

  function isList() {
    const base = (window.config && window.config.routerBasename) || window.PUBLIC_URL || '/';
    return location.pathname.replace(/\/+$/, '') === base.replace(/\/+$/, '');
  }

  // 2. While a PACS is missing, whether it has returned: a search for a study that does not exist asks all of them, and costs them
  // least. Not by /events: a browser has six connections, and OHIF loads images with them.
  async function look() {
    timer = 0;
    try {
      if (!document.hidden) await search();
    } catch {
      // The proxy does not answer either: look again later.
    }
    show();
  }

  async function search() {
    const answer = await ask(`${roots[0]}studies?StudyInstanceUID=2.25.0`, { cache: 'no-store' });
    if (!answer.ok) return;
    const failed = split(answer.headers.get(HEADER));
    let hasReturned = false;
    for (const [name, answers] of missing) {
      hasReturned = hasReturned || (!answers && !failed.includes(name));
      missing.set(name, !failed.includes(name));
    }
    if (hasReturned && isList() && mayReload()) location.reload();
  }

  // A complete list takes the place of the incomplete one, unless that would disturb the reader: then the banner has a button.
  function mayReload() {
    if (document.activeElement && document.activeElement.matches('input, textarea, select')) return false;
    if (document.querySelector('[role="dialog"]')) return false;
    try {
      const last = Number(sessionStorage.getItem(RELOADED));
      if (Date.now() - last < PAUSE) return false;
      sessionStorage.setItem(RELOADED, String(Date.now()));
      return true;
    } catch {
      return false;
    }
  }

  // 3. The banner: a line above OHIF, which gets the rest of the window.
  function show() {
    if (missing.size > 0 && !timer) timer = setTimeout(look, INTERVAL);
    if (!document.body || (!bar && missing.size === 0)) return;
    if (!bar) bar = build();
    const away = [...missing.keys()].filter(name => !missing.get(name));
    const text = missing.size === 0 ? ''
      : away.length > 0
        ? `PACS ${list(away)} ${away.length > 1 ? 'are' : 'is'} not answering: ${isList() ? 'the list is' : 'this study may be'} incomplete`
        : `PACS ${list([...missing.keys()])} ${missing.size > 1 ? 'answer' : 'answers'} again: reload to see everything`;
    const [words, reload] = bar.children;
    if (words.textContent !== text) words.textContent = text;
    reload.hidden = text === '' || away.length > 0;
    bar.classList.toggle('proxy-banner-shown', text !== '');
    const height = text === '' ? 0 : bar.offsetHeight;
    if (document.documentElement.style.getPropertyValue('--proxy-banner') === `${height}px`) return;
    document.documentElement.style.setProperty('--proxy-banner', `${height}px`);
    window.dispatchEvent(new Event('resize'));
  }

  function list(names) {
    const shown = names.length > LONGEST ? [...names.slice(0, LONGEST), `${names.length - LONGEST} more`] : names;
    return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown[shown.length - 1]}`;
  }

  function build() {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`
      #proxy-banner { display: flex; gap: 16px; justify-content: center; align-items: center; box-sizing: border-box; overflow: hidden;
        background: #ffc24d; color: #1c1400; font: 600 14px/20px system-ui, sans-serif; }
      #proxy-banner.proxy-banner-shown { min-height: 32px; padding: 4px 16px; }
      #proxy-banner button { padding: 0 10px; border: 1px solid #1c1400; border-radius: 4px; font: inherit; color: inherit;
        background: none; }
      #proxy-banner button:focus-visible { outline: 2px solid #1c1400; outline-offset: 1px; }
      #proxy-banner [hidden] { display: none; }
      .proxy-banner-shown ~ #root, .proxy-banner-shown ~ #root .h-screen { height: calc(100vh - var(--proxy-banner)); }
      .proxy-banner-shown ~ #root [style*="52px"][style*="100vh"] { height: calc(100vh - 52px - var(--proxy-banner)) !important; }`);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    const element = document.createElement('div');
    element.id = 'proxy-banner';
    const words = document.createElement('span');
    words.setAttribute('role', 'status');
    const reload = document.createElement('button');
    reload.type = 'button';
    reload.hidden = true;
    reload.textContent = 'Reload';
    reload.addEventListener('click', () => location.reload());
    element.append(words, reload);
    document.body.prepend(element);
    return element;
  }
})
