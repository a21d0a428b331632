// The black area: the picture with zoom, pan and flip, the text over it, and what stands there instead of a picture.
import { clamp } from './window.js';

const at = id => document.getElementById(id);

export class Stage {
  #area = at('stage'); #canvas = at('canvas'); #item = null; #object = null; #document = null;
  #zoom = 1; #pan = { x: 0, y: 0 }; #isFlipped = false;

  constructor(resized) {
    new ResizeObserver(() => { this.#place(); resized(); }).observe(this.#area);
  }

  /** The longer side of the area, in pixels of the screen. */
  get shown() { return Math.max(this.#area.clientWidth, this.#area.clientHeight) * devicePixelRatio; }

  get zoom() { return this.#zoom; }

  draw(picture, item) {
    const isOther = this.#item?.rows !== item.rows || this.#item?.columns !== item.columns;
    this.#item = item;
    if (this.#canvas.width !== picture.width || this.#canvas.height !== picture.height)
      [this.#canvas.width, this.#canvas.height] = [picture.width, picture.height];
    this.#canvas.getContext('2d').drawImage(picture, 0, 0);
    if (isOther || this.#canvas.hidden) this.#place();
    this.#canvas.hidden = false;
    this.#clear();
  }

  /** Nothing is shown of the last series while the next one loads. */
  empty() {
    this.#canvas.hidden = true;
    this.#item = null;
    this.#clear();
  }

  /** Words instead of a picture; <c>retry</c> is called if the user tries again. */
  tell(title, detail = '', retry = null) {
    this.#clear();
    this.#canvas.hidden = true;
    this.#area.classList.add('plain');
    [at('message-title').textContent, at('message-detail').textContent] = [title, detail];
    [at('message').hidden, at('retry').hidden, at('retry').onclick] = [false, retry === null, retry];
  }

  /** A document or a film in its own view, with a way to save it where the browser cannot show it. */
  showDocument(blob, item) {
    const isVideo = item.kind === 'video';
    this.empty();
    this.#document = item;
    this.#object = URL.createObjectURL(blob);
    const view = document.createElement(isVideo ? 'video' : 'object');
    if (isVideo) [view.controls, view.src] = [true, this.#object];
    else [view.type, view.data, view.ariaLabel] = [blob.type, this.#object, 'Document'];
    const save = document.createElement('a');
    [save.href, save.download, save.textContent] = [this.#object, isVideo ? 'video.mp4' : 'document.pdf', 'Save it'];
    const line = document.createElement('p');
    line.append('This browser does not show it here. ', save);
    view.append(line);
    this.#area.classList.add('plain');
    at('document').append(view);
    at('document').hidden = false;
  }

  isShowing(item) { return this.#document === item; }

  tellLoading(words) {
    at('loading').hidden = !words;
    at('loading').textContent = words ?? '';
  }

  /** Text over the picture, by the id of its place; it is never part of the pixels. */
  write(texts) {
    for (const [id, words] of Object.entries(texts)) if (at(id).textContent !== words) at(id).textContent = words;
  }

  set isInverted(is) { this.#canvas.style.filter = is ? 'invert(1)' : ''; }

  set isFlipped(is) { this.#isFlipped = is; this.#place(); }

  fit() { [this.#zoom, this.#pan] = [1, { x: 0, y: 0 }]; this.#place(); }

  /** Zooms around a point of the area, by default its centre. */
  zoomBy(factor, x = 0, y = 0) {
    const zoom = clamp(this.#zoom * factor, 0.25, 16);
    const by = zoom / this.#zoom;
    this.#pan = { x: x - (x - this.#pan.x) * by, y: y - (y - this.#pan.y) * by };
    this.#zoom = zoom;
    this.#place();
  }

  panBy(x, y) { this.#pan = { x: this.#pan.x + x, y: this.#pan.y + y }; this.#place(); }

  #clear() {
    at('message').hidden = at('document').hidden = true;
    at('document').replaceChildren();
    if (this.#object) URL.revokeObjectURL(this.#object);
    this.#object = this.#document = null;
    this.#area.classList.remove('plain');
  }

  // The origin is the centre of the area. The picture may have fewer pixels than the item, when it was asked for smaller.
  #place() {
    if (!this.#item) return;
    const { rows, columns } = this.#item;
    const fit = Math.min(this.#area.clientWidth / columns, this.#area.clientHeight / rows);
    const scale = fit * this.#zoom * columns / this.#canvas.width;
    this.#pan.x = clamp(this.#pan.x, -columns * fit * this.#zoom / 2, columns * fit * this.#zoom / 2);
    this.#pan.y = clamp(this.#pan.y, -rows * fit * this.#zoom / 2, rows * fit * this.#zoom / 2);
    this.#canvas.style.transform =
      `translate(${this.#pan.x}px, ${this.#pan.y}px) scale(${this.#isFlipped ? -scale : scale}, ${scale}) translate(-50%, -50%)`;
    this.write({ 'o-zoom': `${Math.round(fit * this.#zoom * 100)} %` });
  }
}
