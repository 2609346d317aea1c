// A client that nobody here wrote: it gets a token that is bound to its key, and calls an API with it.
//
//     node dpop_client.mjs LIBRARY ISSUER CLIENT_ID CLIENT_SECRET RESOURCE ADDRESS
//
// LIBRARY is one of oauth4webapi-3.8.7, oauth4webapi-3.8.8, openid-client and dpop. Each is used as its documentation
// says, nonces included. ADDRESS is asked for by GET, twice by POST, and by GET with a query. It prints one line of JSON:
// the token, and status and body of each answer.

const [library, issuer, clientId, secret, resource, address] = process.argv.slice(2);
const grant = { grant_type: 'client_credentials', resource, scope: 'orders:read' };
const calls = [
  ['GET', address],
  ['POST', address],
  ['POST', address],
  ['GET', `${address}?page=1&sort=a%2Fb`],
];

async function withOauth4webapi(name) {
  const oauth = await import(name);
  const insecure = { [oauth.allowInsecureRequests]: true };
  const url = new URL(issuer);
  const as = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, insecure));
  const client = { client_id: clientId };
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
  const options = { ...insecure, DPoP };

  // What its documentation says to do where a nonce is asked for: the same again, once.
  async function retried(request) {
    try {
      return await request();
    } catch (error) {
      if (!oauth.isDPoPNonceError(error)) throw error;
      return request();
    }
  }

  const { access_token: token } = await retried(async () => {
    const response = await oauth.clientCredentialsGrantRequest(
      as,
      client,
      oauth.ClientSecretBasic(secret),
      new URLSearchParams(grant),
      options,
    );
    return oauth.processClientCredentialsResponse(as, client, response);
  });
  const ask = (method, url) =>
    retried(() => oauth.protectedResourceRequest(token, method, new URL(url), undefined, null, options));
  return { token, ask };
}

async function withOpenidClient() {
  const oidc = await import('openid-client');
  const config = await oidc.discovery(new URL(issuer), clientId, secret, oidc.ClientSecretBasic(secret), {
    execute: [oidc.allowInsecureRequests],
  });
  const DPoP = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'));
  const { access_token: token } = await oidc.clientCredentialsGrant(config, grant, { DPoP });
  const ask = (method, url) => oidc.fetchProtectedResource(config, token, new URL(url), method, null, undefined, { DPoP });
  return { token, ask };
}

async function withDpop() {
  const DPoP = await import('dpop'); // it makes proofs, and nothing else
  const keyPair = await DPoP.generateKeyPair('ES256');
  const nonces = new Map();

  async function send(method, url, headers, body, accessToken) {
    const { origin, pathname } = new URL(url);
    for (let attempt = 1; ; attempt += 1) {
      const proof = await DPoP.generateProof(keyPair, origin + pathname, method, nonces.get(origin), accessToken);
      const response = await fetch(url, { method, headers: { ...headers, DPoP: proof }, body });
      const nonce = response.headers.get('DPoP-Nonce');
      if (nonce) nonces.set(origin, nonce);
      const isAsked =
        response.status === 401
          ? response.headers.get('WWW-Authenticate').includes('use_dpop_nonce')
          : response.status === 400 && (await response.clone().json()).error === 'use_dpop_nonce';
      if (!isAsked || attempt === 2) return response;
    }
  }

  const basic = Buffer.from(`${clientId}:${secret}`).toString('base64');
  const answer = await send('POST', `${issuer}/token`, { Authorization: `Basic ${basic}` }, new URLSearchParams(grant));
  const { access_token: token } = await answer.json();
  const ask = (method, url) => send(method, url, { Authorization: `DPoP ${token}` }, undefined, token);
  return { token, ask };
}

const { token, ask } = library.startsWith('oauth4webapi')
  ? await withOauth4webapi(library.replace('-3.8.8', ''))
  : await { 'openid-client': withOpenidClient, dpop: withDpop }[library]();
const answers = [];
for (const [method, url] of calls) {
  const response = await ask(method, url);
  answers.push({ status: response.status, body: await response.text() });
}
console.log(JSON.stringify({ token, answers }));
