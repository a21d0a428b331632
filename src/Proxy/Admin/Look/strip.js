// The series of the study: a button each, with a thumbnail where the series may have pictures.
import { first, mayHavePictures, text } from './model.js';

const element = (tag, name, words = '') => Object.assign(document.createElement(tag), { className: name, textContent: words });

/** The series that are pictures by their number, then the others. */
export function orderSeries(rows) {
  const rank = row => mayHavePictures(first(row, '00080060')) ? 0 : 1;
  const number = row => Number(first(row, '00200011') ?? Infinity);
  return [...rows].sort((a, b) => rank(a) - rank(b) || number(a) - number(b) || (text(a, '0020000E') < text(b, '0020000E') ? -1 : 1));
}

export class Strip {
  #list = document.getElementById('series'); #buttons = new Map();

  /** @param thumbnail the address of the thumbnail of a series; select what to call with the UID of the chosen series. */
  show(rows, thumbnail, select) {
    this.#list.replaceChildren();
    this.#buttons.clear();
    for (const row of rows) {
      const uid = text(row, '0020000E');
      const button = element('button');
      button.type = 'button';
      const name = element('span', 'name', Strip.name(row));
      button.append(this.#tile(row, thumbnail(uid)), name, element('span', 'count', this.#describe(row)));
      button.onclick = () => select(uid);
      this.#buttons.set(uid, button);
      this.#list.appendChild(element('li')).append(button);
    }
  }

  mark(uid) {
    for (const [other, button] of this.#buttons) {
      if (other === uid) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    }
    this.#buttons.get(uid)?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  /** The UID of the series before or after one; itself at the end. */
  next(uid, step) {
    const all = [...this.#buttons.keys()];
    return all[Math.min(all.length - 1, Math.max(0, all.indexOf(uid) + step))];
  }

  static name(row) { return text(row, '0008103E') || `Series ${text(row, '00200011')}`.trim(); }

  #describe(row) {
    const count = Number(first(row, '00201209') ?? NaN);
    const instances = Number.isNaN(count) ? '' : count === 1 ? '1 instance' : `${count} instances`;
    return [text(row, '00080060'), instances].filter(part => part).join(' · ');
  }

  // The tile shows the modality until the thumbnail arrives; without a thumbnail, the modality stays.
  #tile(row, address) {
    const modality = text(row, '00080060');
    const tile = element('span', 'thumb', modality);
    tile.ariaHidden = 'true';
    if (!mayHavePictures(modality) || modality === 'DOC') return tile;
    const image = Object.assign(new Image(64, 64), { alt: '', loading: 'lazy', decoding: 'async' });
    image.onload = () => tile.replaceChildren(image);
    image.onerror = () => image.remove();
    image.src = address;
    // A lazy image loads only inside the document; it lies over the word, and is clear until it is loaded.
    tile.append(image);
    return tile;
  }
}
