// A real identity provider on loopback that tells an API of logouts: npm's oidc-provider, which nobody here wrote.
//
//     node logout_provider.mjs
//
// It prints one line of JSON when it is ready: the issuer, and the client's credentials. Its access tokens are JWTs, and a
// request for one says by a header field of which session it is to be. A line of its standard input is JSON,
// {"uri": ..., "sid": ...}: it sends a logout token for that session to that address, as it does when somebody logs out, and
// answers with {"sent": true} or with why it was not taken. It ends when its standard input does.

import { generateKeyPairSync, createPrivateKey, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import Provider, { errors } from 'oidc-provider';

console.info = console.error; // oidc-provider's notices: standard output is for the lines below
console.warn = console.error;

const RESOURCE = 'https://api.test';
// By way of PEM, for the reason that provider.mjs has.
const { privateKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
const secret = randomBytes(32).toString('base64url');

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'orders-web',
      client_secret: secret,
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
      id_token_signed_response_alg: 'ES256',
      backchannel_logout_uri: 'https://somewhere.test/logout', // each line says another one
      backchannel_logout_session_required: true,
    },
  ],
  jwks: { keys: [createPrivateKey(privateKey).export({ format: 'jwk' })] },
  scopes: ['orders:read'],
  // oidc-provider sends nothing to loopback by itself, where the API is.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  // What of a login has a session has it here from whoever asks: nobody can log in without a browser.
  extraTokenClaims: (ctx) => ({ sid: ctx.get('x-session') }),
  features: {
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo(ctx, indicator) {
        if (indicator !== RESOURCE) throw new errors.InvalidTarget();
        return {
          audience: RESOURCE,
          scope: 'orders:read',
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        };
      },
    },
  },
});
server.on('request', provider.callback());

console.log(JSON.stringify({ issuer, client: ['orders-web', secret] }));

for await (const line of createInterface({ input: process.stdin })) {
  const { uri, sid } = JSON.parse(line);
  const client = await provider.Client.find('orders-web');
  client.backchannelLogoutUri = uri;
  try {
    await client.backchannelLogout('orders-web', sid);
    console.log(JSON.stringify({ sent: true }));
  } catch (error) {
    console.log(JSON.stringify({ sent: false, why: error.message }));
  }
}
process.exit();
