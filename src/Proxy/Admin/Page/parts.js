// The parts that the sections are made of. Text is always text: no part takes markup.
import { h, html, useEffect, useRef, useState } from './vendor/preact.js';
import { Refusal } from './live.js';
import { percent } from './words.js';

const paths = {
  good: 'M3 8.5 6.5 12 13 4.5', bad: 'M4 4l8 8M12 4l-8 8', warn: 'M8 2.5 14.5 13.5H1.5ZM8 6.5v3M8 11.4v.2', quiet: 'M8 3a5 5 0 1 0 .01 0',
  busy: 'M8 2.5a5.5 5.5 0 1 1-5.5 5.5M8 5v3l2 1.5', pause: 'M5.5 3.5v9M10.5 3.5v9',
  overview: 'M2.5 2.5h4.5v4.5H2.5ZM9 2.5h4.5v4.5H9ZM2.5 9h4.5v4.5H2.5ZM9 9h4.5v4.5H9Z', traffic: 'M2 12.5 6 7l3 3 5-6.5',
  studies: 'M2.5 3.5h11M2.5 8h11M2.5 12.5h7', prefetch: 'M8 2v8.5M4.5 7 8 10.5 11.5 7M2.5 13.5h11', warnings: 'M8 2.5 14.5 13.5H1.5ZM8 6.5v3M8 11.4v.2',
  cache: 'M2.5 4.5c0-2.6 11-2.6 11 0s-11 2.6-11 0v7c0 2.6 11 2.6 11 0v-7M2.5 8c0 2.6 11 2.6 11 0',
  settings: 'M2.5 4.5h6M12 4.5h1.5M2.5 11.5h1.5M7.5 11.5h6M10.2 2.8a1.7 1.7 0 1 0 .01 0M5.7 9.8a1.7 1.7 0 1 0 .01 0',
  open: 'M4 6l4 4 4-4', copy: 'M5.5 5.5h8v8h-8ZM2.5 10.5v-8h8', search: 'M7 2.5a4.5 4.5 0 1 0 .01 0M10.5 10.5l3.5 3.5', out: 'M6.5 3.5h-4v10h10v-4M9 2.5h4.5V7M13.5 2.5 7.5 8.5',
};

export const Icon = ({ name }) => html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=${paths[name]} /></svg>`;

// A state is an icon and a word; its colour says nothing more.
export const State = ({ kind, children }) => html`<span class="state ${kind}"><${Icon} name=${kind} />${children}</span>`;

export const Section = ({ title, lead, actions, children }) => html`
  <div class="head"><div><h1 id="title" tabindex="-1">${title}</h1>${lead && html`<p class="lead">${lead}</p>`}</div>${actions && html`<div class="actions">${actions}</div>`}</div>
  ${children}`;

export const Panel = ({ title, note, children, label }) => html`
  <section class="panel" aria-label=${label ?? title}>
    ${title && html`<header><h2>${title}</h2>${note && html`<p class="quiet">${note}</p>`}</header>`}${children}
  </section>`;

export const Empty = ({ title, children }) => html`<div class="empty"><p class="strong">${title}</p>${children && html`<p>${children}</p>`}</div>`;

// What is wrong, and what to do. A page of old data says so.
export function Failed({ error, retry, what = 'This' }) {
  if (!error) return null;
  const title = error instanceof Refusal && error.status === 403 ? 'You may not see this' : `${what} cannot be read`;
  return html`<div class="notice bad" role="alert"><${Icon} name="bad" /><div><p class="strong">${title}</p><p>${error.message}</p></div>
    ${retry && html`<button type="button" onClick=${retry}>Try again</button>`}</div>`;
}

export const Notice = ({ kind = 'warn', children }) => html`<div class="notice ${kind}" role="status"><${Icon} name=${kind} /><div>${children}</div></div>`;

// Holds the place of data that has not arrived, at about its height.
export const Waiting = ({ lines = 3 }) => html`<div class="waiting" role="status"><span class="hidden">Loading</span>${Array.from({ length: lines }, (_, n) => html`<i key=${n} />`)}</div>`;

export function Bar({ done, total, label, kind = '', more = 0 }) {
  const share = total > 0 ? Math.min(1, done / total) : 0;
  const rest = total > 0 ? Math.min(1 - share, more / total) : 0;
  return html`<div class="bar ${kind}" role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax="100"
    aria-valuenow=${Math.round(100 * share)} aria-valuetext=${percent(share)}><i style=${{ width: `${100 * share}%` }} />${rest > 0 && html`<b style=${{ width: `${100 * rest}%` }} />`}</div>`;
}

export const Fact = ({ name, children, note }) => html`<div class="fact"><dt>${name}</dt><dd>${children}${note && html`<small>${note}</small>`}</dd></div>`;

export const Figure = ({ name, value, note, children }) => html`
  <div class="figure"><p class="name">${name}</p><p class="value">${value}</p><p class="note">${note ?? '\u00a0'}</p>${children}</div>`;

// A line without axes: the shape of the last minutes.
export function Spark({ values, label }) {
  const known = values.map(value => value ?? 0);
  const top = Math.max(...known, 1);
  const step = 120 / Math.max(1, known.length - 1);
  const line = known.map((value, n) => `${(n * step).toFixed(1)} ${(27 - 25 * value / top).toFixed(1)}`).join('L');
  return html`<svg class="spark" viewBox="0 0 120 28" preserveAspectRatio="none" role="img" aria-label=${label}>
    <path class="area" d=${`M0 28L${line}L120 28Z`} /><path class="line" d=${`M${line}`} /></svg>`;
}

export function Copy({ text, label = 'Copy' }) {
  const [done, setDone] = useState(null);
  const copy = async () => {
    let words = 'Copied';
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without TLS a browser offers no clipboard: select the text by hand in an area that is not shown.
      const area = document.body.appendChild(document.createElement('textarea'));
      area.value = text;
      area.className = 'hidden';
      area.select();
      if (!document.execCommand('copy')) words = 'Not copied';
      area.remove();
    }
    setDone(words);
    setTimeout(() => setDone(null), 2000);
  };
  return html`<button type="button" class="small" onClick=${copy} aria-label=${done ?? label}><${Icon} name=${done === 'Copied' ? 'good' : 'copy'} /><span aria-live="polite">${done ?? 'Copy'}</span></button>`;
}

// A modal dialog: Escape and the button close it, and the focus returns to what opened it.
export function Dialog({ title, close, children, actions }) {
  const at = useRef(null);
  useEffect(() => {
    const [dialog, before] = [at.current, document.activeElement];
    dialog.showModal();
    // While it is modal, nothing outside it takes the focus.
    return () => { dialog.close(); if (before?.isConnected) before.focus(); };
  }, []);
  const clicked = event => { if (event.target === at.current) close(); };
  return html`<dialog ref=${at} aria-labelledby="dialog-title" onCancel=${event => { event.preventDefault(); close(); }} onClick=${clicked}>
    <div class="inside"><h2 id="dialog-title">${title}</h2>${children}<div class="actions end">${actions}<button type="button" onClick=${close}>${actions ? 'Cancel' : 'Close'}</button></div></div></dialog>`;
}

// Asks before something goes; the button says what it does.
export function Confirm({ title, button, act, close, children, isReady = true }) {
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    try { await act(); close(); } catch (e) { setError(e); setBusy(false); }
  };
  return html`<${Dialog} title=${title} close=${close} actions=${html`<button type="button" class="danger" disabled=${busy || !isReady} onClick=${run}>${button}</button>`}>
    ${children}<${Failed} error=${error} what="The answer" /><//>`;
}

// One of a few: a group of radio buttons that looks like one control.
export const Choice = ({ label, value, set, options }) => html`
  <fieldset class="choice"><legend class="hidden">${label}</legend>${options.map(([key, text]) => html`
    <label key=${key}><input type="radio" name=${label} value=${key} checked=${value === key} onChange=${() => set(key)} /><span>${text}</span></label>`)}</fieldset>`;

export function download(name, type, text) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export { h, html };
