// Loads pictures by their address. A limited number of requests run at once, the most urgent first. A request is cancelled when its
// picture is not needed any more. Decoded pictures stay in memory within a budget; the least recently used one is removed first.

export class PictureLoader {
  #read; #done; #maxRequests; #maxBytes;
  #kept = new Map(); #errors = new Map(); #running = new Map(); #wanted = []; #bytes = 0;

  /** @param read (address, signal) → a promise of { width, height, close() }; done is called with an address that is loaded or failed. */
  constructor({ read, done, maxRequests = 6, maxBytes = 256e6 }) {
    [this.#read, this.#done, this.#maxRequests, this.#maxBytes] = [read, done, maxRequests, maxBytes];
  }

  find(address) {
    const picture = this.#kept.get(address);
    if (picture) {
      this.#kept.delete(address);
      this.#kept.set(address, picture);
    }
    return picture;
  }

  findError(address) { return this.#errors.get(address); }

  forget(address) { this.#errors.delete(address); }

  /** Whether it is loaded, or has failed. */
  isDone(address) { return this.#kept.has(address) || this.#errors.has(address); }

  /** Loads these addresses in this order, and cancels every other request. */
  want(addresses) {
    this.#wanted = addresses;
    const still = new Set(addresses);
    for (const [address, abort] of this.#running) {
      if (still.has(address)) continue;
      this.#running.delete(address);
      abort.abort();
    }
    this.#start();
  }

  #start() {
    for (const address of this.#wanted) {
      if (this.#running.size >= this.#maxRequests) return;
      if (!this.#kept.has(address) && !this.#running.has(address) && !this.#errors.has(address)) this.#load(address);
    }
  }

  async #load(address) {
    const abort = new AbortController();
    this.#running.set(address, abort);
    let picture, error;
    try {
      picture = await this.#read(address, abort.signal);
    } catch (e) {
      error = e;
    }
    // Cancelled: another request for the same address may already run.
    if (this.#running.get(address) !== abort) return picture?.close();
    this.#running.delete(address);
    if (error) this.#errors.set(address, error);
    else this.#keep(address, picture);
    this.#start();
    this.#done(address);
  }

  #keep(address, picture) {
    this.#kept.set(address, picture);
    this.#bytes += picture.width * picture.height * 4;
    for (const [oldest, old] of this.#kept) {
      if (this.#bytes <= this.#maxBytes || oldest === address) break;
      this.#kept.delete(oldest);
      this.#bytes -= old.width * old.height * 4;
      old.close();
    }
  }
}
