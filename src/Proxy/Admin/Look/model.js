// What a series is made of: pure functions on DICOM JSON (PS3.18 annex F), without I/O and without the page.

export const first = (dataset, tag) => dataset?.[tag]?.Value?.[0];

export const numbers = (dataset, tag) => (dataset?.[tag]?.Value ?? []).map(Number);

/** A value as text: of a person name, the readable form of its groups. */
export function text(dataset, tag) {
  const value = first(dataset, tag) ?? '';
  return typeof value === 'object' ? personName(value) : String(value);
}

// "Yamada^Tarou" is "Yamada, Tarou" (PS3.5 §6.2.1.1: family, given, middle, prefix, suffix).
function personName(groups) {
  const readable = (name) => {
    const [family, ...others] = String(name ?? '').split('^').map(part => part.trim());
    return [family, others.slice(0, 2).filter(part => part).join(' ')].filter(part => part).join(', ');
  };
  const written = readable(groups.Ideographic);
  const latin = readable(groups.Alphabetic);
  return written && latin ? `${latin} (${written})` : latin || written;
}

/** YYYYMMDD as YYYY-MM-DD. */
export const date = (dataset, tag) => text(dataset, tag).replace(/^(\d{4})(\d\d)(\d\d).*$/, '$1-$2-$3');

const pdf = '1.2.840.10008.5.1.4.1.1.104.1';
const videos = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.77\.1\.(1|2|4)\.1$/;
const mpeg = /^1\.2\.840\.10008\.1\.2\.4\.10[0-8]/;
// Objects with rows and columns that are no pictures of a patient: a segmentation has a frame per segment, not per position.
const noPictures = new Set(
  ['SEG', 'SR', 'KO', 'PR', 'RTSTRUCT', 'RTPLAN', 'RTRECORD', 'REG', 'FID', 'AU', 'ECG', 'HD', 'EPS', 'PLAN', 'M3D', 'STL']);

/** Whether a series of this modality may contain pictures. */
export const mayHavePictures = modality => !noPictures.has(modality);

/** How an instance is shown: image, pdf, video or other. */
export function kindOf(dataset) {
  const sopClass = first(dataset, '00080016');
  const syntax = first(dataset, '00083002') ?? '';
  if (sopClass === pdf) return 'pdf';
  if (mpeg.test(syntax) || videos.test(sopClass)) return 'video';
  const hasPixels = first(dataset, '00280010') > 0 && first(dataset, '00280011') > 0;
  return hasPixels && mayHavePictures(first(dataset, '00080060')) ? 'image' : 'other';
}

/**
 * The order of a stack: Instance Number, then the position along the normal of the plane, then the UID, so that it is total. An instance
 * without a number follows those that have one.
 */
export function order(datasets) {
  const keyed = datasets.map(dataset => ({
    dataset, number: numberOf(first(dataset, '00200013')), position: positionOf(dataset), uid: first(dataset, '00080018') ?? '',
  }));
  keyed.sort((a, b) => compare(a.number, b.number) || compare(a.position, b.position) || (a.uid < b.uid ? -1 : a.uid > b.uid ? 1 : 0));
  return keyed.map(({ dataset }) => dataset);
}

const numberOf = value => value === undefined || value === null || value === '' ? NaN : Number(value);

const compare = (a, b) => Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : a - b;

// The projection of Image Position (Patient) on the normal of the plane, in mm (PS3.3 C.7.6.2.1.1).
function positionOf(dataset) {
  const [x, y, z] = numbers(dataset, '00200032');
  const [a, b, c, d, e, f] = numbers(dataset, '00200037');
  return x * (b * f - c * e) + y * (c * d - a * f) + z * (a * e - b * d);
}

// Of one object: a number of frames is only what a PACS says, and each costs memory here.
const maxFrames = 10_000;

/**
 * The pictures of a series in the order in which they are scrolled through, one for each frame; and what is not a picture, as items of
 * one "picture" each.
 */
export function stack(datasets) {
  return order(datasets).flatMap(dataset => {
    const kind = kindOf(dataset);
    const frames = kind === 'image' ? Math.max(1, Number(first(dataset, '00280008') ?? 1)) : 1;
    const item = {
      uid: first(dataset, '00080018'), kind, modality: first(dataset, '00080060'), isMultiFrame: frames > 1,
      rows: Number(first(dataset, '00280010')), columns: Number(first(dataset, '00280011')), isColour: isColour(dataset),
      window: windowOf(dataset), location: numberOf(first(dataset, '00201041')), rate: rateOf(dataset),
    };
    const each = dataset['52009230']?.Value ?? [];
    return Array.from({ length: Math.min(frames, maxFrames) }, (_, n) => ({ ...item, frame: n + 1, window: frameWindow(each[n]) ?? item.window }));
  });
}

const isColour = dataset => Number(first(dataset, '00280002') ?? 1) > 1 || first(dataset, '00280004') === 'PALETTE COLOR';

function windowOf(dataset) {
  return plainWindow(dataset) ?? frameWindow(first(dataset, '52009229')) ?? rangeOf(dataset);
}

function plainWindow(dataset) {
  const [center] = numbers(dataset, '00281050');
  const [width] = numbers(dataset, '00281051');
  return Number.isFinite(center) && width > 0 ? { center, width } : null;
}

// Frame VOI LUT Sequence of the functional groups (PS3.3 C.7.6.16.2.10).
const frameWindow = groups => plainWindow(first(groups, '00289132'));

// Without a window: the range that the stored bits can express, after the rescale (PS3.3 C.7.6.3.1, C.11.1).
function rangeOf(dataset) {
  const bits = Number(first(dataset, '00280101') ?? 8);
  const slope = Math.abs(Number(first(dataset, '00281053') ?? 1)) || 1;
  const low = Number(first(dataset, '00280103') ?? 0) === 1 ? -(2 ** (bits - 1)) : 0;
  const width = 2 ** bits * slope;
  return { center: low * slope + width / 2 + Number(first(dataset, '00281052') ?? 0), width };
}

// Frames per second: Cine Rate, Recommended Display Frame Rate, or 1000 ms / Frame Time (PS3.3 C.7.6.5).
function rateOf(dataset) {
  const rate = Number(first(dataset, '00180040') ?? first(dataset, '00082144') ?? 1000 / Number(first(dataset, '00181063')));
  return rate >= 1 && rate <= 120 ? Math.round(rate) : null;
}
