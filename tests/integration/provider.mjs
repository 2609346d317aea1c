// A real identity provider on loopback: npm's oidc-provider, which is OpenID-certified and which nobody here wrote.
//
//     node provider.mjs PORT FOLDER
//
// It listens on PORT (0: a free one) and then prints one line of JSON: the issuer, the client's credentials, the
// resources that tokens may be asked for, the secrets of those who may ask about opaque tokens, and a refresh token. It
// makes new keys at every start, so that to start it again on the same port is a rotation; it forgets its opaque tokens,
// too. FOLDER has the certificates and keys of `certificates.py`: a second address, where clients show certificates, is
// only told in the metadata. It ends when its standard input does: it outlives no parent, however that one ends.
// It holds no more than client-credentials tokens need: no users, no interactions.

import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';

import Provider, { errors } from 'oidc-provider';

console.info = console.error; // oidc-provider's notices: standard output is for the one line below

const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'];
const SCOPES = ['reports:read', 'reports:write'];

// By way of PEM: to export a key that was just generated as a JWK hangs Node.js 20 for good, about once in 500 starts.
function privateJwk(type, options) {
  const { privateKey } = generateKeyPairSync(type, {
    ...options,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return createPrivateKey(privateKey).export({ format: 'jwk' });
}

// One RSA key for RS256 and PS256 and one Ed25519 key for both names of its algorithm, published without `alg`: by
// its own rules oidc-provider adds `alg` only where a single algorithm fits a key.
const keys = [
  privateJwk('rsa', { modulusLength: 2048 }),
  privateJwk('ec', { namedCurve: 'P-256' }),
  privateJwk('ec', { namedCurve: 'P-384' }),
  privateJwk('ed25519'),
];

const resources = new Map(
  ALGORITHMS.map((alg) => [`https://api.test/${alg}`, { accessTokenFormat: 'jwt', jwt: { sign: { alg } } }]),
).set('https://api.test/opaque', { accessTokenFormat: 'opaque' });

const [port, folder] = process.argv.slice(2);
const read = (name) => readFileSync(`${folder}/${name}`);

const client = {
  client_id: 'reporting',
  client_secret: randomBytes(32).toString('base64url'),
  token_endpoint_auth_method: 'client_secret_basic',
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
};

// Those who may ask about tokens and get none: one for each way to authenticate itself. The two secrets have
// characters that are written otherwise in a form.
const asking = { grant_types: [], response_types: [], redirect_uris: [] };
const secrets = { 'api by basic': `${randomBytes(16).toString('base64')}: /+%&`, 'api-by-post': 'a secret: +/%&=?' };
const apis = [
  { client_id: 'api by basic', client_secret: secrets['api by basic'], token_endpoint_auth_method: 'client_secret_basic' },
  { client_id: 'api-by-post', client_secret: secrets['api-by-post'], token_endpoint_auth_method: 'client_secret_post' },
  {
    client_id: 'api-by-key',
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [createPublicKey(read('client.key')).export({ format: 'jwk' })] },
  },
  {
    client_id: 'api-by-certificate',
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_subject_dn: 'CN=api-by-certificate',
  },
].map((api) => ({ ...asking, ...api }));

const server = createServer();
server.listen(Number(port), '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

const tlsServer = createTlsServer({
  key: read('server.key'),
  cert: read('server.pem'),
  ca: read('authority.pem'),
  requestCert: true,
  rejectUnauthorized: false, // oidc-provider decides, for each client
});
tlsServer.listen(0, '127.0.0.1');
await once(tlsServer, 'listening');

function certificateOf(ctx) {
  const peer = ctx.socket.getPeerCertificate?.();
  return peer?.raw && new X509Certificate(peer.raw);
}

const provider = new Provider(issuer, {
  clients: [client, ...apis],
  discovery: {
    mtls_endpoint_aliases: {
      introspection_endpoint: `https://127.0.0.1:${tlsServer.address().port}/token/introspection`,
    },
  },
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth'],
  jwks: { keys },
  scopes: [...SCOPES, 'offline_access'], // the latter has it know refresh tokens
  ttl: { ClientCredentials: 7200 }, // seconds
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    dPoP: { enabled: true },
    introspection: {
      enabled: true,
      allowedPolicy: (ctx, { clientId }) => apis.some((api) => api.client_id === clientId),
    },
    jwtIntrospection: { enabled: true },
    mTLS: {
      enabled: true,
      tlsClientAuth: true,
      getCertificate: certificateOf,
      certificateAuthorized: (ctx) => ctx.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) => certificateOf(ctx).subject === expected,
    },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo(ctx, indicator) {
        const resource = resources.get(indicator);
        if (!resource) throw new errors.InvalidTarget();
        return { audience: indicator, scope: SCOPES.join(' '), ...resource };
      },
    },
  },
});
server.on('request', provider.callback());
tlsServer.on('request', provider.callback());

// Nobody can log in here, so the refresh token of a login is made without one.
const grant = new provider.Grant({ accountId: 'ada', clientId: client.client_id });
const refresh = await new provider.RefreshToken({
  accountId: 'ada',
  client: await provider.Client.find(client.client_id),
  grantId: await grant.save(),
  gty: 'authorization_code',
  resource: 'https://api.test/opaque',
  scope: 'reports:read',
}).save();

process.stdin.on('end', () => process.exit()).resume();
console.log(
  JSON.stringify({
    issuer,
    client: [client.client_id, client.client_secret],
    resources: [...resources.keys()],
    secrets,
    refresh,
  }),
);
