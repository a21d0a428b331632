// The arithmetic of a window, and where to look: pure.

/** Windows for CT in Hounsfield units, by the key that selects them. */
export const presets = [
  { key: '1', name: 'Soft tissue', center: 40, width: 400 },
  { key: '2', name: 'Lung', center: -600, width: 1500 },
  { key: '3', name: 'Bone', center: 300, width: 1500 },
  { key: '4', name: 'Brain', center: 40, width: 80 },
];

/**
 * The window after a drag of (x, y) pixels from a start: to the right is wider, downwards is higher (darker). A drag of 256 pixels
 * doubles the width or moves the centre by one width. Values are rounded, so that a drag asks for few different pictures.
 */
export function dragWindow(start, x, y) {
  const width = Math.max(start.width * 2 ** (x / 256), 1e-3);
  return { center: round(start.center + y * start.width / 256, width), width: round(width, width) };
}

// To a hundredth of the width, but to integers at least where the width has three digits or more.
function round(value, width) {
  const step = width >= 100 ? 1 : 10 ** (Math.floor(Math.log10(width)) - 2);
  return Number((Math.round(value / step) * step).toPrecision(12));
}

/** The parameter of PS3.18 §8.3.5.1.4; a raw comma, because some PACS do not decode it. */
export const windowQuery = window => `window=${window.center},${window.width},linear`;

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/**
 * Which pictures to load, the most urgent first: the current one, then ahead in the direction of the scroll, then a few behind.
 * A stack that plays in a loop goes on at its start.
 */
export function readAhead(index, direction, count, { ahead = 24, behind = 4, isLoop = false } = {}) {
  const order = [index];
  const add = n => {
    const at = isLoop ? (n + count) % count : n;
    if (at >= 0 && at < count && !order.includes(at)) order.push(at);
  };
  for (let n = 1; n <= ahead; n++) add(index + n * direction);
  for (let n = 1; n <= behind; n++) add(index - n * direction);
  return order;
}

/** Whole steps of a wheel, and the rest to keep for the next event: one step per notch (100 px), fewer pixels for a trackpad. */
export function wheelSteps(rest, event) {
  const pixels = event.deltaMode === 0 ? event.deltaY : event.deltaY * (event.deltaMode === 1 ? 33 : 400);
  const sum = Math.sign(pixels) === Math.sign(rest) ? rest + pixels : pixels;
  const size = Math.abs(pixels) >= 50 ? Math.min(Math.abs(pixels), 100) : 30;
  const steps = Math.trunc(sum / size);
  return { steps, rest: sum - steps * size };
}

/** The parameter of PS3.18 §8.3.5.1.3 for a picture larger than it is shown; null to get every pixel. */
export function viewportQuery(item, shown, zoom) {
  const side = Math.max(1024, Math.ceil(shown / 512) * 512);
  return zoom > 1 || Math.max(item.rows, item.columns) <= side ? null : `viewport=${side},${side}`;
}
