// Plays a stack: the next picture when its time has come and it is loaded. A slow line plays slower; it never skips a picture.

export class Cine {
  #isReady; #step; #next = 0; #timer = 0;
  rate = 15;

  /** @param isReady whether the next picture is loaded; step shows it. */
  constructor({ isReady, step }) { [this.#isReady, this.#step] = [isReady, step]; }

  get isRunning() { return this.#timer !== 0; }

  start() {
    this.#next = performance.now() + 1000 / this.rate;
    this.#timer = requestAnimationFrame(now => this.#tick(now));
  }

  stop() {
    cancelAnimationFrame(this.#timer);
    this.#timer = 0;
  }

  #tick(now) {
    this.#timer = requestAnimationFrame(later => this.#tick(later));
    if (now < this.#next || !this.#isReady()) return;
    // Keeps the rate on average, but does not run faster to catch up after a pause of the line.
    this.#next = Math.max(this.#next + 1000 / this.rate, now);
    this.#step();
  }
}
