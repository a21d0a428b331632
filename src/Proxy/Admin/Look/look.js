// The quick look: reads the study that the address names, and puts the parts of the page together.
import { Archive } from './archive.js';
import { connect } from './input.js';
import { date, stack, text } from './model.js';
import { Stage } from './stage.js';
import { orderSeries, Strip } from './strip.js';
import { Tools } from './tools.js';
import { Viewer } from './viewer.js';

const at = id => document.getElementById(id);
const query = new URLSearchParams(location.search);
const archive = new Archive(new URL('.', location).href, query);
const stage = new Stage(() => viewer?.resize());
const strip = new Strip();
let viewer = new Viewer(archive, stage, new Tools());
let current = null;
let loading = new AbortController();
connect(viewer, step => open(strip.next(current, step)));

// All values from PACS, such as names, are set as text, never as markup.
function showStudy(row) {
  const patient = text(row, '00100010') || 'Patient without a name';
  const study = text(row, '00081030') || 'Study without a description';
  document.title = `Quick look: ${patient}`;
  at('title').textContent = [patient, study, date(row, '00080020')].filter(part => part).join(' · ');
  stage.write({
    'o-patient': [patient, text(row, '00100020')].filter(part => part).join(' · '),
    'o-birth': [date(row, '00100030'), text(row, '00100040')].filter(part => part).join(' · '),
    'o-study': study, 'o-date': date(row, '00080020'),
  });
}

// Warning: 299 Proxy "words", once for each (RFC 9111 §5.5).
const warn = header => { at('warning').textContent = [...(header ?? '').matchAll(/"([^"]*)"/g)].map(([, words]) => words).join(' '); };

async function start() {
  if (!archive.study) return stage.tell('No study is named', 'Choose one in the list of all studies.');
  stage.tellLoading('Loading the study');
  try {
    const [study, series] = await Promise.all([archive.readStudy(), archive.readSeries()]);
    warn(series.warning ?? study.warning);
    stage.tellLoading(null);
    if (!study.row) return stage.tell('No such study', 'No PACS that answered holds it.');
    showStudy(study.row);
    rows = orderSeries(series.rows);
    strip.show(rows, uid => archive.thumbnail(uid), open);
    const asked = rows.find(row => text(row, '0020000E') === query.get('series')) ?? rows[0];
    if (asked) await open(text(asked, '0020000E'));
    else stage.tell('No series', 'The study has no series that can be shown.');
  } catch (e) {
    stage.tellLoading(null);
    stage.tell('The study cannot be read', e.message, start);
  }
}

let rows = [];
async function open(series) {
  if (!series || series === current) return;
  current = series;
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  strip.mark(series);
  viewer.open(series, []);
  const row = rows.find(one => text(one, '0020000E') === series);
  stage.write({ 'o-series': Strip.name(row), 'o-backend': '', 'o-number': '', 'o-window': '', 'o-location': '', 'o-zoom': '' });
  stage.tellLoading('Loading the series');
  query.set('series', series);
  history.replaceState(null, '', '?' + query);
  try {
    const items = stack(await archive.readMetadata(series, signal));
    if (signal.aborted) return;
    stage.tellLoading(null);
    if (items.length === 0) return stage.tell('An empty series', 'The PACS lists no instance of it.');
    viewer.open(series, items);
    const backend = await archive.readOwner(series, signal);
    if (!signal.aborted) stage.write({ 'o-backend': backend && `from ${backend}` });
  } catch (e) {
    if (signal.aborted) return;
    stage.tellLoading(null);
    stage.tell('The series cannot be read', e.message, () => { current = null; open(series); });
  }
}

await start();
