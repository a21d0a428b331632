// An OpenID provider: node oidc-provider.cjs {folder with node_modules} {port} {redirect address of the proxy}.
// Any name signs in with any password; the roles are the words of the name behind its first one: "anna-cardio-operator".
const { createRequire } = require('node:module');
const { pathToFileURL } = require('node:url');
const [, , folder, port, redirect] = process.argv;

(async () => {
  const require = createRequire(folder + '/');
  const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href);
  const issuer = `http://127.0.0.1:${port}`;
  const findClaims = id => ({ sub: id, name: `User ${id}`, roles: id.split('-').slice(1) });
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'proxy', client_secret: 'a-secret-of-the-test', redirect_uris: [redirect], grant_types: ['authorization_code'], response_types: ['code'] }],
    conformIdTokenClaims: false,
    claims: { openid: ['sub'], profile: ['name', 'roles'] },
    findAccount: (ctx, id) => ({ accountId: id, claims: () => findClaims(id) }),
    extraTokenClaims: (ctx, token) => ({ roles: findClaims(token.accountId ?? '').roles }),
    features: {
      resourceIndicators: {
        enabled: true, defaultResource: () => 'urn:dicom-proxy', useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: 'openid profile', audience: 'dicom-proxy', accessTokenFormat: 'jwt', accessTokenTTL: 3600 }),
      },
    },
    pkce: { required: () => true },
  });
  provider.listen(Number(port), '127.0.0.1', () => console.log('READY'));
})().catch(error => { console.error(error); process.exit(1); });
