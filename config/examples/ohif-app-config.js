// OHIF's app-config.js for a proxy at https://pacs.example. The proxy serves this file for its own address and
// backends at /ohif/app-config.js.
window.config = {
  routerBasename: null,
  extensions: [],
  modes: [],
  showStudyList: true,
  maxNumRequests: { interaction: 100, thumbnail: 75, prefetch: 25 },
  defaultDataSourceName: 'proxy',
  dataSources: [
    source('proxy', 'All PACS', 'https://pacs.example/dicomweb'),
    source('east', 'East only', 'https://pacs.example/backends/east/dicomweb'),
    source('west', 'West only', 'https://pacs.example/backends/west/dicomweb'),
  ],
};

function source(name, friendlyName, root) {
  return {
    namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
    sourceName: name,
    configuration: {
      friendlyName, name, qidoRoot: root, wadoRoot: root, wadoUriRoot: root,
      imageRendering: 'wadors', thumbnailRendering: 'wadors', enableStudyLazyLoad: true,
      supportsFuzzyMatching: false, supportsWildcard: true, omitQuotationForMultipartRequest: true,
      bulkDataURI: { enabled: true },
    },
  };
}
