// A real identity provider on loopback: npm's oidc-provider, which is OpenID-certified and which nobody here wrote.
//
//     node provider.mjs [PORT]
//
// It listens on PORT (a free one by default) and then prints one line of JSON: the issuer, the client's credentials
// and the resources that tokens may be asked for. It makes new keys at every start, so that to start it again on the
// same port is a rotation. It ends when its standard input does: it outlives no parent, however that one ends.
// It holds no more than client-credentials tokens need: no users, no interactions, nothing stored.

import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

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

const client = {
  client_id: 'reporting',
  client_secret: randomBytes(32).toString('base64url'),
  token_endpoint_auth_method: 'client_secret_basic',
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
};

const server = createServer();
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [client],
  jwks: { keys },
  scopes: SCOPES,
  ttl: { ClientCredentials: 7200 }, // seconds
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    dPoP: { enabled: true },
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

process.stdin.on('end', () => process.exit()).resume();
console.log(JSON.stringify({ issuer, client: [client.client_id, client.client_secret], resources: [...resources.keys()] }));
