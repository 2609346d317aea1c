// A real identity provider that binds its tokens to keys (DPoP, RFC 9449) and asks for nonces: npm's oidc-provider.
//
//     node dpop_provider.mjs
//
// It listens on a free port of loopback and prints one line of JSON: the issuer and the client's credentials. Tokens may
// be asked for any resource that is an http:// address; `?opaque` at its end makes them opaque. It ends when its
// standard input does.

import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

console.info = console.error; // oidc-provider's notices: standard output is for the one line below

// By way of PEM: to export a key that was just generated as a JWK hangs Node.js 20 for good, about once in 500 starts.
const { privateKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

const client = {
  client_id: 'orders-app',
  client_secret: randomBytes(32).toString('base64url'),
  token_endpoint_auth_method: 'client_secret_basic',
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
  id_token_signed_response_alg: 'ES256', // there are none, but the only key has to fit
  dpop_bound_access_tokens: true,
};
const api = {
  client_id: 'orders-api',
  client_secret: randomBytes(32).toString('base64url'),
  token_endpoint_auth_method: 'client_secret_basic',
  grant_types: [],
  response_types: [],
  redirect_uris: [],
  id_token_signed_response_alg: 'ES256',
};

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [client, api],
  jwks: { keys: [createPrivateKey(privateKey).export({ format: 'jwk' })] },
  scopes: ['orders:read'],
  ttl: { ClientCredentials: 7200 }, // seconds
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
    introspection: { enabled: true, allowedPolicy: (ctx, { clientId }) => clientId === api.client_id },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo(ctx, indicator) {
        const format = indicator.endsWith('?opaque')
          ? { accessTokenFormat: 'opaque' }
          : { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } };
        return { audience: indicator, scope: 'orders:read', ...format };
      },
    },
  },
});
server.on('request', provider.callback());

process.stdin.on('end', () => process.exit()).resume();
console.log(
  JSON.stringify({
    issuer,
    client: [client.client_id, client.client_secret],
    api: [api.client_id, api.client_secret],
  }),
);
