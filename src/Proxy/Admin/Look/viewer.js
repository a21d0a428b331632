// What is looked at: a series as a stack, the picture of it, and how it is shown. It asks for pictures and draws those that arrive.
import { Cine } from './cine.js';
import { PictureLoader } from './loader.js';
import { clamp, dragWindow, presets, readAhead, viewportQuery, windowQuery } from './window.js';

const isSame = (a, b) => a?.center === b?.center && a?.width === b?.width;

export class Viewer {
  #archive; #stage; #tools; #loader; #cine;
  #series = null; #items = []; #index = 0; #direction = 1; #waiting = 0;
  // The window that the user chose; null for the one of each instance.
  #window = null; #isInverted = false; #isFlipped = false;
  // While the window is dragged: the window at its start, and the address of the picture that is on its way.
  #drag = null;

  constructor(archive, stage, tools) {
    [this.#archive, this.#stage, this.#tools] = [archive, stage, tools];
    this.#loader = new PictureLoader({
      read: (address, signal) => archive.readPicture(address, signal),
      done: address => this.#receive(address),
      maxBytes: (navigator.deviceMemory ?? 8) < 4 ? 96e6 : 256e6,
    });
    this.#cine = new Cine({
      isReady: () => this.#items[this.#next].kind !== 'image' || this.#loader.isDone(this.#address(this.#next)),
      step: () => this.goTo(this.#next),
    });
  }

  get index() { return this.#index; }

  /** Shows a series from its first picture; none while it loads. */
  open(series, items) {
    [this.#series, this.#items, this.#index, this.#direction] = [series, items, 0, 1];
    this.#stop();
    this.#wait(null);
    this.#loader.want([]);
    this.#stage.empty();
    this.#cine.rate = this.#tools.showFor(items);
    this.reset();
  }

  step(by) { this.goTo(this.#index + by); }

  goTo(index) {
    const to = clamp(index, 0, this.#items.length - 1);
    if (this.#items.length === 0 || to === this.#index) return;
    this.#direction = this.#cine.isRunning || to > this.#index ? 1 : -1;
    this.#index = to;
    this.#show();
  }

  beginWindow() {
    const item = this.#items[this.#index];
    if (item?.kind === 'image' && !item.isColour) this.#drag = { from: this.#window ?? item.window, address: null };
  }

  dragWindow(x, y) { if (this.#drag) this.#setWindow(dragWindow(this.#drag.from, x, y)); }

  endWindow() {
    this.#drag = null;
    this.#show();
  }

  setPreset(key) {
    if (!this.#tools.offers(key)) return;
    const preset = presets.find(one => one.key === key);
    this.#setWindow(preset ? { center: preset.center, width: preset.width } : null);
  }

  setRate(rate) { this.#cine.rate = rate; }

  togglePlay() {
    if (this.#cine.isRunning) this.#stop();
    else if (this.#items.length > 1) this.#cine.start();
    this.#tools.isPlaying = this.#cine.isRunning;
    this.#show();
  }

  zoomBy(factor, x, y) {
    this.#stage.zoomBy(factor, x, y);
    this.#show();
  }

  panBy(x, y) { this.#stage.panBy(x, y); }

  fit() {
    this.#stage.fit();
    this.#show();
  }

  toggleInvert() { this.#isInverted = this.#stage.isInverted = this.#tools.isInverted = !this.#isInverted; }

  toggleFlip() { this.#isFlipped = this.#stage.isFlipped = this.#tools.isFlipped = !this.#isFlipped; }

  reset() {
    if (this.#isInverted) this.toggleInvert();
    if (this.#isFlipped) this.toggleFlip();
    this.#setWindow(null);
    this.fit();
  }

  /** After a change of the size of the stage, more pixels may be needed. */
  resize() { this.#show(); }

  get #next() { return (this.#index + 1) % this.#items.length; }

  #stop() {
    this.#cine.stop();
    this.#tools.isPlaying = false;
  }

  #setWindow(window) {
    this.#window = window;
    const preset = presets.find(one => isSame(one, window) && this.#tools.offers(one.key));
    this.#tools.preset = window === null ? '' : preset?.key ?? null;
    this.#show();
  }

  #address(index) {
    const item = this.#items[index];
    return this.#archive.rendered(
      this.#series, item, this.#window && !item.isColour ? windowQuery(this.#window) : null,
      viewportQuery(item, this.#stage.shown, this.#stage.zoom), 'quality=90');
  }

  /** Draws the current picture if it is there, and asks for what is needed next. */
  #show() {
    const item = this.#items[this.#index];
    if (!item) return;
    this.#tools.position = [this.#index, this.#items.length];
    if (item.kind !== 'image') return this.#showOther(item);
    const address = this.#address(this.#index);
    const picture = this.#loader.find(address);
    const error = this.#loader.findError(address);
    this.#wait(picture || error ? null : `Loading picture ${this.#index + 1}`);
    if (picture) this.#draw(picture, item);
    else if (error) this.#tellError(address, error);
    this.#ask(address);
  }

  // While the window is dragged, one request at a time, and none is cancelled: the picture follows the hand as fast as it can.
  #ask(address) {
    if (this.#drag) {
      if (this.#drag.address && !this.#loader.isDone(this.#drag.address)) return;
      this.#drag.address = address;
      return this.#loader.want([address]);
    }
    const order = readAhead(this.#index, this.#direction, this.#items.length, { isLoop: this.#cine.isRunning });
    this.#loader.want(order.filter(index => this.#items[index].kind === 'image').map(index => this.#address(index)));
  }

  #receive(address) {
    if (address === this.#address(this.#index)) return this.#show();
    if (address !== this.#drag?.address) return;
    const picture = this.#loader.find(address);
    if (picture) this.#draw(picture, this.#items[this.#index]);
    this.#ask(this.#address(this.#index));
  }

  #draw(picture, item) {
    this.#stage.draw(picture, item);
    this.#write(item, item.isColour ? '' : describe(this.#window ?? item.window));
  }

  // The number over the picture is always that of the picture that is seen; the slider is already where the user is.
  #write(item, window) {
    this.#stage.write({
      'o-number': `${this.#index + 1} / ${this.#items.length}`, 'o-window': window,
      'o-location': Number.isFinite(item.location) && window ? `${item.location.toFixed(1)} mm` : '',
    });
  }

  // An answer that comes at once needs no word.
  #wait(words) {
    clearTimeout(this.#waiting);
    if (words) this.#waiting = setTimeout(() => this.#stage.tellLoading(words), 250);
    else this.#stage.tellLoading(null);
  }

  #tellError(address, error) {
    this.#write(this.#items[this.#index], '');
    this.#stage.tell(`Picture ${this.#index + 1} cannot be shown`, error.message, () => {
      this.#loader.forget(address);
      this.#show();
    });
  }

  async #showOther(item) {
    this.#loader.want([]);
    this.#wait(null);
    this.#write(item, '');
    if (item.kind === 'other')
      return this.#stage.tell('No picture', 'This object is not a picture. Open the study in a viewer to read it.');
    if (this.#stage.isShowing(item)) return;
    const isVideo = item.kind === 'video';
    this.#stage.tell(isVideo ? 'Loading the video' : 'Loading the document');
    const address = this.#archive.rendered(this.#series, item);
    try {
      const blob = await this.#archive.readDocument(address, isVideo ? 'video/mp4' : 'application/pdf');
      if (item === this.#items[this.#index]) this.#stage.showDocument(blob, item);
    } catch (e) {
      if (item === this.#items[this.#index]) this.#stage.tell('This object cannot be shown', e.message, () => this.#show());
    }
  }
}

const describe = ({ center, width }) => `W ${Number(width.toPrecision(5))} C ${Number(center.toPrecision(5))}`;
