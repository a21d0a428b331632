// Wheel, drag, keys and buttons, as calls of the viewer. Nothing here knows how a picture is loaded.
import { presets, wheelSteps } from './window.js';

const at = id => document.getElementById(id);

/** All keys, as the dialog shows them. */
export const keys = [
  ['↑ ↓ ← →', 'previous or next picture'], ['Page Up, Page Down', 'ten pictures'], ['Home, End', 'first or last picture'],
  ['[ ]', 'previous or next series'], ['Space', 'play or pause'], ['W, S, P', 'a drag changes the window, scrolls, or moves the picture'],
  ['1 2 3 4', 'CT window: ' + presets.map(preset => preset.name.toLowerCase()).join(', ')], ['+ − F', 'larger, smaller, fit'],
  ['I, H', 'invert, flip left and right'], ['R', 'reset'], ['?', 'these keys'],
];

/** @param stepSeries opens the series before (-1) or after (1) the open one. */
export function connect(viewer, stepSeries) {
  const stage = at('stage');
  connectWheel(stage, viewer);
  connectDrag(stage, viewer);
  connectKeys(viewer, stepSeries);
  at('slider').oninput = event => viewer.goTo(Number(event.target.value) - 1);
  at('preset').onchange = event => viewer.setPreset(event.target.value);
  at('rate').onchange = event => viewer.setRate(Number(event.target.value));
  const buttons = {
    play: viewer.togglePlay, smaller: () => viewer.zoomBy(1 / 1.25), larger: () => viewer.zoomBy(1.25), fit: viewer.fit,
    invert: viewer.toggleInvert, flip: viewer.toggleFlip, reset: viewer.reset, help: () => at('keys').showModal(),
  };
  for (const [id, act] of Object.entries(buttons)) at(id).onclick = () => act.call(viewer);
  for (const what of ['window', 'scroll', 'pan']) at('drag-' + what).onclick = () => setDrag(stage, what);
  for (const [key, meaning] of keys) {
    const row = at('key-rows').insertRow();
    row.insertCell().appendChild(document.createElement('kbd')).textContent = key;
    row.insertCell().textContent = meaning;
  }
}

function setDrag(stage, what) {
  stage.dataset.drag = what;
  for (const other of ['window', 'scroll', 'pan']) at('drag-' + other).ariaPressed = String(other === what);
}

function connectWheel(stage, viewer) {
  let rest = 0;
  stage.addEventListener('wheel', event => {
    if (stage.classList.contains('plain')) return;
    event.preventDefault();
    if (event.ctrlKey) return viewer.zoomBy(2 ** (-event.deltaY / 300), ...fromCentre(stage, event));
    const turned = wheelSteps(rest, event);
    rest = turned.rest;
    if (turned.steps !== 0) viewer.step(turned.steps);
  }, { passive: false });
}

const fromCentre = (stage, event) => {
  const box = stage.getBoundingClientRect();
  return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
};

// The middle and the right button move the picture, whatever the left one does.
function connectDrag(stage, viewer) {
  let drag = null;
  stage.addEventListener('pointerdown', event => {
    if (drag || stage.classList.contains('plain') || event.target.closest('button, a')) return;
    stage.setPointerCapture(event.pointerId);
    const what = event.button > 0 ? 'pan' : stage.dataset.drag ?? 'window';
    const start = { x: event.clientX, y: event.clientY };
    drag = { id: event.pointerId, what, ...start, start, from: viewer.index };
    if (what === 'window') viewer.beginWindow();
  });
  stage.addEventListener('pointermove', event => {
    if (event.pointerId !== drag?.id) return;
    const [x, y] = [event.clientX - drag.start.x, event.clientY - drag.start.y];
    if (drag.what === 'window') viewer.dragWindow(x, y);
    else if (drag.what === 'scroll') viewer.goTo(drag.from + Math.round(y / 8));
    else viewer.panBy(event.clientX - drag.x, event.clientY - drag.y);
    [drag.x, drag.y] = [event.clientX, event.clientY];
  });
  for (const end of ['pointerup', 'pointercancel']) stage.addEventListener(end, event => {
    if (event.pointerId !== drag?.id) return;
    if (drag.what === 'window') viewer.endWindow();
    drag = null;
  });
  stage.addEventListener('contextmenu', event => { if (!stage.classList.contains('plain')) event.preventDefault(); });
}

function connectKeys(viewer, stepSeries) {
  const acts = {
    ArrowUp: () => viewer.step(-1), ArrowLeft: () => viewer.step(-1), ArrowDown: () => viewer.step(1), ArrowRight: () => viewer.step(1),
    PageUp: () => viewer.step(-10), PageDown: () => viewer.step(10), Home: () => viewer.goTo(0), End: () => viewer.goTo(Infinity),
    '[': () => stepSeries(-1), ']': () => stepSeries(1), ' ': () => viewer.togglePlay(), '?': () => at('keys').showModal(),
    '+': () => viewer.zoomBy(1.25), '=': () => viewer.zoomBy(1.25), '-': () => viewer.zoomBy(1 / 1.25), f: () => viewer.fit(),
    i: () => viewer.toggleInvert(), h: () => viewer.toggleFlip(), r: () => viewer.reset(),
    w: () => at('drag-window').click(), s: () => at('drag-scroll').click(), p: () => at('drag-pan').click(),
  };
  for (const preset of presets) acts[preset.key] = () => viewer.setPreset(preset.key);
  document.addEventListener('keydown', event => {
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    // A list takes every key, a button the space bar; the slider moves as the arrow keys do everywhere on the page.
    const isTaken = event.target.closest('select, dialog, video, object') || (event.key === ' ' && event.target.closest('button, a'));
    if (!act || isTaken || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
}
