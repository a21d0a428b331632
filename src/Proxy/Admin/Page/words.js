// Numbers, times and states in the words of the page. Nothing here touches the document.
export const count = value => value === null || value === undefined ? '–' : Math.round(value).toLocaleString('en');

// A no-break space holds a number and its unit together.
const join = (value, unit) => `${value}\u00a0${unit}`;

// Three significant digits, in decimal units as disks are sold.
export function size(bytes) {
  if (bytes === null || bytes === undefined) return '–';
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];
  let unit = 0;
  let value = bytes;
  while (Math.abs(value) >= 999.5 && unit < units.length - 1) { value /= 1000; unit++; }
  return join(unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(value >= 10 ? 1 : 2), units[unit]);
}

export const rate = bytesPerSecond => size(bytesPerSecond) + '/s';

export function percent(share) {
  if (share === null || share === undefined || Number.isNaN(share)) return '–';
  const value = 100 * share;
  if (value > 0 && value < 0.1) return join('<\u00a00.1', '%');
  return join(value === 0 || value === 100 ? value : value < 10 ? value.toFixed(1) : value > 99 ? Math.floor(value) : Math.round(value), '%');
}

export const milliseconds = value => value === null || value === undefined ? '–'
  : value >= 10000 ? join((value / 1000).toFixed(0), 's') : value >= 1000 ? join((value / 1000).toFixed(1), 's')
    : join(value < 10 ? value.toFixed(1) : Math.round(value), 'ms');

// 4 s, 12 min, 3 h 20 min, 2 d 4 h.
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return join(s, 's');
  const m = Math.floor(s / 60);
  if (m < 60) return join(m, 'min');
  const h = Math.floor(m / 60);
  if (h < 24) return m % 60 ? `${join(h, 'h')} ${join(m % 60, 'min')}` : join(h, 'h');
  return h % 24 ? `${join(Math.floor(h / 24), 'd')} ${join(h % 24, 'h')}` : join(Math.floor(h / 24), 'd');
}

const pad = value => String(value).padStart(2, '0');

// The time of today; with the date if it is another day.
export function clock(time, withSeconds = false) {
  if (!time) return '–';
  const at = new Date(time);
  const text = `${pad(at.getHours())}:${pad(at.getMinutes())}` + (withSeconds ? ':' + pad(at.getSeconds()) : '');
  return at.toDateString() === new Date().toDateString() ? text : `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${text}`;
}

export const ago = time => {
  const seconds = (Date.now() - new Date(time)) / 1000;
  return seconds < 2 ? 'just now' : duration(seconds) + ' ago';
};

export const many = (number, one, more = one + 's') => `${count(number)}\u00a0${number === 1 ? one : more}`;

export const list = names => names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;

// A failure of a PACS as the proxy names it: "Unreachable: Connection refused".
const failures = {
  Unreachable: 'no connection', TimedOut: 'no answer in time', Refused: 'it does not accept the proxy’s credential',
  BadStatus: 'it answered with an error', BadAnswer: 'its answer is not valid DICOMweb', Busy: 'too many requests wait for it',
  Overloaded: 'it asks for fewer requests', NotGiven: 'it lists an object that it does not return',
  NotInThisForm: 'it does not return an object in the requested form', ClientFailed: 'the client did not send its whole request',
};
export function failure(text) {
  if (!text) return null;
  const [, error, detail] = /^(\w+): ?(.*)$/s.exec(text) ?? [null, null, text];
  if (!failures[error]) return text;
  const rest = detail.replace(/^circuit open: /, '').trim();
  return rest && rest.toLowerCase() !== failures[error] ? `${failures[error]} (${rest})` : failures[error];
}

export const reasons = { asked: 'Asked for', next: 'Next in the list', priors: 'Priors of the patient', 'read-ahead': 'Open study, read ahead', rule: 'By a rule' };

// A DICOM row: the first value of an attribute, a person's name in the usual order of reading.
export const value = (row, tag) => { const first = row[tag]?.Value?.[0]; return first?.Alphabetic ?? first?.Ideographic ?? first ?? ''; };
export const person = (row, tag = '00100010') => {
  const [family, ...given] = String(value(row, tag)).split('^').map(part => part.trim());
  return [family, given.filter(part => part).join(' ')].filter(part => part).join(', ');
};
export const date = (row, tag = '00080020') => String(value(row, tag)).replace(/^(\d{4})(\d\d)(\d\d)$/, '$1-$2-$3');
export const time = (row, tag = '00080030') => String(value(row, tag)).replace(/^(\d\d)(\d\d).*$/, '$1:$2');

// The end of a UID distinguishes it.
export const shorten = uid => uid && uid.length > 24 ? `${uid.slice(0, 8)}…${uid.slice(-12)}` : uid;
