// What the page asks the proxy for. Every address is built from UIDs that were checked.

const uid = /^[0-9]+(\.[0-9]+)*$/;
const name = /^[A-Za-z0-9_-]{1,64}$/;

/** A refusal with the words of the problem document (RFC 9457), if there is one. */
export class Refusal extends Error {
  constructor(status, detail) { super(detail); this.status = status; }

  static async read(answer) {
    const isProblem = /^application\/(problem\+)?json/.test(answer.headers.get('Content-Type') ?? '');
    const problem = isProblem ? await answer.json().catch(() => null) : null;
    return new Refusal(answer.status, problem?.detail || problem?.title || `The proxy answered ${answer.status}.`);
  }
}

/** The study that the address of the page names, at the root of all backends or of one. */
export class Archive {
  #base; #root;

  constructor(base, query) {
    this.study = uid.test(query.get('study') ?? '') && query.get('study').length <= 64 ? query.get('study') : null;
    this.backend = name.test(query.get('backend') ?? '') ? query.get('backend') : null;
    this.#base = base;
    this.#root = base + (this.backend ? `backends/${this.backend}/dicomweb` : 'dicomweb');
  }

  /** The row of the study, or null; and the warning that a backend is missing from it. */
  async readStudy() {
    const { body, warning } = await this.#json(`${this.#root}/studies?StudyInstanceUID=${this.study}&includefield=StudyDescription`);
    return { row: body?.[0] ?? null, warning };
  }

  async readSeries() {
    const { body, warning } = await this.#json(`${this.#root}/studies/${this.study}/series?includefield=SeriesDescription`);
    return { rows: (body ?? []).filter(row => uid.test(row['0020000E']?.Value?.[0] ?? '')), warning };
  }

  async readMetadata(series, signal) {
    const { body } = await this.#json(`${this.#seriesAddress(series)}/metadata`, signal);
    return (body ?? []).filter(dataset => uid.test(dataset['00080018']?.Value?.[0] ?? ''));
  }

  /** The name of the backend whose pictures are shown; empty if the proxy does not say. */
  async readOwner(series, signal) {
    if (this.backend) return this.backend;
    const owner = await this.#json(`${this.#base}store/studies/${this.study}/series/${series}`, signal).catch(() => null);
    return owner?.body?.backend ?? '';
  }

  thumbnail(series) { return `${this.#seriesAddress(series)}/thumbnail?viewport=128,128`; }

  rendered(series, item, ...query) {
    const frame = item.isMultiFrame ? `/frames/${item.frame}` : '';
    const parameters = query.filter(part => part).join('&');
    return `${this.#seriesAddress(series)}/instances/${item.uid}${frame}/rendered${parameters ? '?' + parameters : ''}`;
  }

  async readPicture(address, signal) {
    const answer = await fetch(address, { signal, headers: { Accept: 'image/jpeg' } });
    if (!answer.ok) throw await Refusal.read(answer);
    return createImageBitmap(await answer.blob());
  }

  /** A document as a blob of this type, whatever label came with it: it is never another kind of content. */
  async readDocument(address, type, signal) {
    const answer = await fetch(address, { signal, headers: { Accept: type } });
    if (!answer.ok) throw await Refusal.read(answer);
    return new Blob([await answer.arrayBuffer()], { type });
  }

  #seriesAddress(series) { return `${this.#root}/studies/${this.study}/series/${series}`; }

  async #json(address, signal) {
    const answer = await fetch(address, { signal, headers: { Accept: 'application/dicom+json, application/json;q=0.9' } });
    if (!answer.ok) throw await Refusal.read(answer);
    return { body: answer.status === 204 ? null : await answer.json(), warning: answer.headers.get('Warning') };
  }
}
