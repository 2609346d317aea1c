// A real identity provider that binds its tokens to client certificates (RFC 8705): npm's oidc-provider, on loopback.
//
//     node certificate_provider.mjs KEY CERTIFICATE
//
// Its metadata and keys are served over HTTP; its token endpoint also over TLS, with the key and the certificate in these
// two files (PEM), where it asks each client for a certificate of its own. It prints one line of JSON: the issuer, the
// endpoint over TLS, the client's credentials and the resource that tokens may be asked for. It ends when its standard
// input does.

import { generateKeyPairSync, createPrivateKey, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';

import Provider, { errors } from 'oidc-provider';

console.info = console.error; // oidc-provider's notices: standard output is for the one line below

const RESOURCE = 'https://api.test';

// By way of PEM: to export a key that was just generated as a JWK hangs Node.js 20 for good, about once in 500 starts.
const { privateKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

const client = {
  client_id: 'billing',
  client_secret: randomBytes(32).toString('base64url'),
  token_endpoint_auth_method: 'client_secret_basic',
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
  id_token_signed_response_alg: 'ES256', // there are none, but the only key has to fit
  tls_client_certificate_bound_access_tokens: true,
};

async function listening(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

const server = createServer();
const issuer = `http://127.0.0.1:${await listening(server)}`;
const [key, cert] = process.argv.slice(2).map((path) => readFileSync(path));
// Whom a certificate belongs to is of no account here: the token is for whoever has its key.
const tlsServer = createTlsServer({ key, cert, requestCert: true, rejectUnauthorized: false });
const tlsOrigin = `https://127.0.0.1:${await listening(tlsServer)}`;

const provider = new Provider(issuer, {
  clients: [client],
  jwks: { keys: [createPrivateKey(privateKey).export({ format: 'jwk' })] },
  ttl: { ClientCredentials: 7200 }, // seconds
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      getCertificate: (ctx) => ctx.socket.getPeerX509Certificate?.(),
    },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo(ctx, indicator) {
        if (indicator !== RESOURCE) throw new errors.InvalidTarget();
        return { audience: RESOURCE, scope: '', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } };
      },
    },
  },
});
server.on('request', provider.callback());
tlsServer.on('request', provider.callback());

process.stdin.on('end', () => process.exit()).resume();
console.log(
  JSON.stringify({
    issuer,
    token_endpoint: `${tlsOrigin}/token`,
    client: [client.client_id, client.client_secret],
    resource: RESOURCE,
  }),
);
