// The worker of bench/worker.py in JavaScript: the same tokens, the same rounds, the same protocol, for verifiers that
// run under Node.js. `node worker.mjs NAME DIRECTORY MILLISECONDS SUBJECTS`, where NAME is fast-jwt or jose and the
// subjects are algorithms and kinds of token, as in `RS256 entra,EdDSA entra`. Its floor is the bare signature check of
// node:crypto, as the floor of a Python worker is that of `cryptography`.
import { createPublicKey, verify as checkSignature } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const [name, directory, milliseconds, listed] = process.argv.slice(2)
const SUBJECTS = listed.split(',').map(subject => subject.split(' '))
const MAX_BATCH = 4000

const kinds = JSON.parse(readFileSync(`${directory}/kinds.json`, 'utf8'))
const read = file => readFileSync(`${directory}/${file}`, 'ascii')
const tokensOf = file => read(`${file}.txt`).trimEnd().split('\n')

function rotating (pool) {
  let next = 0
  return count => Array.from({ length: count }, () => pool[next++ % pool.length])
}

function repeating (pool, run) {
  let next = 0
  return async count => {
    const item = pool[next++ % pool.length]
    await run([item])
    return new Array(count).fill(item)
  }
}

function floor (algorithm, kind, pem) {
  const key = createPublicKey(pem)
  const digest = algorithm === 'EdDSA' ? null : 'sha256'
  const options = algorithm === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key
  const run = batch => {
    for (const [message, signature] of batch) {
      if (!checkSignature(digest, message, options, signature)) throw new Error('refused')
    }
  }
  const signed = tokensOf(`${algorithm}.${kind}`).map(token => {
    const dot = token.lastIndexOf('.')
    return [Buffer.from(token.slice(0, dot)), Buffer.from(token.slice(dot + 1), 'base64url')]
  })
  return { run, feed: rotating(signed) }
}

const verifiers = {
  // Synchronous, its key prepared once. Its cache is off by default, and on for the repeated token.
  async 'fast-jwt' (algorithm, kind, pem) {
    const { createVerifier } = await import('fast-jwt')
    const [issuer, audience, hasAudience] = kinds[kind]
    // What has its audience elsewhere than in `aud` is measured without that check, which is in its favour.
    const options = {
      key: pem,
      algorithms: [algorithm],
      allowedIss: issuer,
      ...(hasAudience && { allowedAud: audience }),
      requiredClaims: hasAudience ? ['iss', 'aud', 'exp'] : ['iss', 'exp']
    }
    const loop = verify => batch => { for (const token of batch) verify(token) }
    return [loop(createVerifier(options)), loop(createVerifier({ ...options, cache: 4096 }))]
  },
  // Asynchronous, its local key set in hand; it remembers no tokens.
  async jose (algorithm, kind) {
    const { createLocalJWKSet, jwtVerify } = await import('jose')
    const keys = createLocalJWKSet(JSON.parse(read(`${algorithm}.${kind}.jwks.json`)))
    const [issuer, audience] = kinds[kind]
    const options = { algorithms: [algorithm], issuer, audience, requiredClaims: ['exp'] }
    const run = async batch => { for (const token of batch) await jwtVerify(token, keys, options) }
    return [run, run]
  }
}

// What runs in this thread alone is measured by the processor time of the process, as in Python; what waits for other
// threads, as jose's checks do, by the time that passes.
function processorTime () {
  const { user, system } = process.cpuUsage()
  return (user + system) * 1e3
}
const passingTime = () => Number(process.hrtime.bigint())

async function timed ({ run, feed, waits }, count) {
  await run(await feed(Math.max(1, count >> 3)))
  const batch = await feed(count)
  const clock = waits ? passingTime : processorTime
  const start = clock()
  const pending = run(batch)
  if (pending) await pending
  return (clock() - start) / batch.length
}

async function batchSize (timedCase) {
  // Three tries at each size let the compiler see the loop first.
  for (let count = 1; count < MAX_BATCH; count *= 4) {
    let spent
    for (let turn = 0; turn < 3; turn++) spent = await timed(timedCase, count) * count / 1e6
    if (spent >= milliseconds / 4) return Math.max(1, Math.min(MAX_BATCH, Math.floor(count * milliseconds / spent)))
  }
  return MAX_BATCH
}

const cases = {}
for (const [algorithm, kind] of SUBJECTS) {
  const pem = read(`${algorithm}.pem`)
  const [unseen, repeated] = await verifiers[name](algorithm, kind, pem)
  const pool = tokensOf(`${algorithm}.${kind}`)
  cases[`${algorithm} ${kind} floor`] = floor(algorithm, kind, pem)
  const waits = name === 'jose'
  cases[`${algorithm} ${kind} new`] = { run: unseen, feed: rotating(pool), waits }
  cases[`${algorithm} ${kind} repeated`] = { run: repeated, feed: repeating(pool, repeated), waits }
}

const names = Object.keys(cases)
const batches = {}
for (const each of names) batches[each] = await batchSize(cases[each])
console.log(JSON.stringify({ cases: names, batches }))
for await (const line of createInterface({ input: process.stdin })) {
  const turn = JSON.parse(line).round % names.length
  const spent = {}
  for (const each of [...names.slice(turn), ...names.slice(0, turn)]) spent[each] = await timed(cases[each], batches[each])
  console.log(JSON.stringify(spent))
}
