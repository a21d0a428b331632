// Asks a DICOMweb root with dicomweb-client, and prints one JSON object with a digest of each answer.
//   node dicomweb-client.cjs FOLDER ROOT read STUDY SERIES INSTANCE TAG
//   node dicomweb-client.cjs FOLDER ROOT store STUDY SERIES INSTANCE FILE
// FOLDER has dicomweb-client and xhr2 in node_modules. The root in the answers is replaced, so that two roots can be compared.
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const [folder, root, task, studyInstanceUID, seriesInstanceUID, sopInstanceUID, last] = process.argv.slice(2);
const load = name => require(path.join(folder, 'node_modules', name));

global.XMLHttpRequest = load('xhr2');
global.window = global;
const { DICOMwebClient } = load('dicomweb-client').api;
const client = new DICOMwebClient({ url: root, verbose: false });
const instance = { studyInstanceUID, seriesInstanceUID, sopInstanceUID };

const digest = bytes => `${bytes.byteLength} ${crypto.createHash('sha256').update(Buffer.from(bytes)).digest('hex')}`;

// BulkDataURIs differ below the root; what they give is compared by itself.
const normalize = value => Array.isArray(value) ? value.map(normalize)
  : value && typeof value === 'object'
    ? Object.fromEntries(Object.keys(value).sort().filter(key => key !== '00083002')
      .map(key => [key, key === 'BulkDataURI' ? 'URI' : normalize(value[key])]))
    : typeof value === 'string' ? value.replaceAll(root, 'ROOT') : value;
const sort = (rows, tag) => rows.sort((a, b) => a[tag].Value[0] < b[tag].Value[0] ? -1 : 1);
const frames = async () => (await client.retrieveInstanceFrames({
  ...instance, frameNumbers: [1], mediaTypes: [{ mediaType: 'application/octet-stream', transferSyntaxUID: '*' }],
})).map(digest);

const read = {
  studies: async () => (await client.searchForStudies({ queryParams: { StudyInstanceUID: studyInstanceUID } })).map(row => row['0020000D']),
  series: async () => sort(await client.searchForSeries({ studyInstanceUID }), '0020000E').map(row => row['0020000E']),
  instances: async () => sort(await client.searchForInstances(instance), '00080018').map(row => row['00080018']),
  metadata: async () => sort(await client.retrieveSeriesMetadata(instance), '00080018'),
  instanceMetadata: async () => client.retrieveInstanceMetadata(instance),
  frames,
  file: async () => digest(await client.retrieveInstance(instance)),
  seriesFiles: async () => (await client.retrieveSeries(instance)).map(digest).sort(),
  studyFiles: async () => (await client.retrieveStudy(instance)).map(digest).sort(),
  bulkData: async () => {
    const [dataset] = [await client.retrieveInstanceMetadata(instance)].flat();
    return (await client.retrieveBulkData({ BulkDataURI: dataset[last].BulkDataURI })).map(digest);
  },
};
const store = {
  stored: async () => {
    const answer = await client.storeInstances({ datasets: [new Uint8Array(fs.readFileSync(last)).buffer] });
    return typeof answer === 'string' ? JSON.parse(answer) : answer;
  },
  metadata: read.metadata,
  frames,
};

(async () => {
  const results = {};
  for (const [name, ask] of Object.entries({ read, store }[task])) results[name] = normalize(await ask());
  console.log('RESULT ' + JSON.stringify(results));
})().catch(error => {
  console.error(error);
  process.exit(1);
});
