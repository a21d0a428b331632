// The state of the tools under the picture: which of them fit the series, and what they say.
import { presets } from './window.js';

const at = id => document.getElementById(id);
const rates = [2, 5, 10, 15, 20, 25, 30, 40, 60];

export class Tools {
  constructor() { this.#offerRates(15); }

  /** Offers what fits a series, and returns the rate at which it plays. */
  showFor(items) {
    const [item] = items;
    const isPicture = item?.kind === 'image';
    const isStack = items.length > 1;
    at('tools').hidden = !isPicture && !isStack;
    at('slider').max = Math.max(1, items.length);
    at('slider').disabled = at('play').disabled = at('rate').disabled = !isStack;
    at('preset').disabled = !isPicture || item.isColour;
    this.#offerPresets(item?.modality === 'CT' ? presets : []);
    const rate = item?.rate ?? 15;
    this.#offerRates(rate);
    return rate;
  }

  /** Whether a preset can be chosen for this series. */
  offers(key) { return !at('preset').disabled && [...at('preset').options].some(option => option.value === key); }

  set position([index, count]) {
    at('slider').value = index + 1;
    at('slider').ariaValueText = at('position').textContent = `${index + 1} of ${count}`;
  }

  /** The key of the preset in use; empty for the window of the picture, null for one that the user made. */
  set preset(key) {
    for (const own of at('preset').querySelectorAll('[value=own]')) own.remove();
    if (key === null) at('preset').append(new Option('By hand', 'own'));
    at('preset').value = key ?? 'own';
  }

  set isPlaying(is) {
    at('play').ariaPressed = String(is);
    at('play').textContent = is ? 'Pause' : 'Play';
  }

  set isInverted(is) { at('invert').ariaPressed = String(is); }

  set isFlipped(is) { at('flip').ariaPressed = String(is); }

  #offerPresets(all) {
    const options = all.map(preset => new Option(`${preset.name} (${preset.key})`, preset.key));
    at('preset').replaceChildren(new Option('As stored', ''), ...options);
  }

  #offerRates(rate) {
    const all = rates.includes(rate) ? rates : [...rates, rate].sort((a, b) => a - b);
    at('rate').replaceChildren(...all.map(one => new Option(String(one), String(one), false, one === rate)));
  }
}
