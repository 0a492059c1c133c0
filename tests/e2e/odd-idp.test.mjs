// The certified oidc-provider with unusual settings: algorithms, subjects, ways to ask and to answer, odd issuers. What the
// broker can't do is refused with its reason on the page, in the log, and where a document shows it, by `providers probe`.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { App, person } from './support/app.mjs'
import { Broker, folder, place, run } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { hashed, overlay } from './support/example.mjs'
import { broker as registered, signingKey, startIdp } from './support/idp.mjs'
import { APPS, bye, callback } from './support/world.mjs'

const pem = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'pem', type: 'pkcs8' })
const encryptionKey = { ...generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' }), use: 'enc', kid: 'enc' }
// Making an RSA key takes long: the providers share one.
const RSA = signingKey()
const key = (alg) => /^[RP]S/.test(alg) ? { ...RSA, alg, kid: alg } : signingKey(alg)
const signs = (...algs) => ({ jwks: { keys: algs.map(key) }, enabledJWA: { idTokenSigningAlgValues: [...algs, 'HS256'], userinfoSigningAlgValues: algs } })
const encrypts = { features: { encryption: { enabled: true }, jwtUserinfo: { enabled: true } } }
const PUSHES = { pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true } }
const LONG_SECRET = 'a secret of thirty-two bytes or more, shared'

/**
 * The providers. `client` is the broker's registration there, `idp` what startIdp is told, `toml` what the broker's file says
 * beside issuer and client id, `probe` what `providers probe` says of the token endpoint, if not that it accepts the secret.
 */
const WORK = {
  eddsa: { client: { id_token_signed_response_alg: 'EdDSA' }, idp: { settings: signs('EdDSA') } },
  ed25519: { client: { id_token_signed_response_alg: 'Ed25519' }, idp: { settings: signs('Ed25519') } },
  ps256: { client: { id_token_signed_response_alg: 'PS256' }, idp: { settings: signs('PS256') } },
  'several-keys': { client: { id_token_signed_response_alg: 'ES384' }, idp: { settings: signs('ES256', 'ES384', 'EdDSA', 'RS256') } },
  hs256: { client: { id_token_signed_response_alg: 'HS256' }, idp: { settings: signs('RS256') }, toml: 'id_token_signed_response_alg = "HS256"' },
  pairwise: {
    client: { subject_type: 'pairwise' },
    idp: { settings: { subjectTypes: ['pairwise'], pairwiseIdentifier: (ctx, accountId, client) => `pairwise-${accountId}-${client.clientId}`, pkce: { required: () => true } } },
  },
  'signed-userinfo': {
    client: { userinfo_signed_response_alg: 'PS256' },
    idp: { settings: { ...signs('PS256', 'RS256'), features: { jwtUserinfo: { enabled: true } } }, claimsIn: 'userinfo' },
  },
  'no-userinfo': { idp: { settings: { features: { userinfo: { enabled: false } } } } },
  pushed: { idp: { settings: { features: PUSHES } } },
  // The provider reads the broker's key at the broker, by a plain fetch because its own refuses loopback.
  keyed: {
    client: (issuer) => ({
      client_secret: undefined, token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256', jwks_uri: `${issuer}/oauth2/rp-jwks`,
    }),
    idp: { settings: { features: PUSHES, fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }) } },
    toml: 'client_key = { file = "broker-key" }',
    probe: /^ +ok +token .*\(private_key_jwt\)/m,
  },
  // Its tokens are bound to the broker's key, and every proof needs a nonce of the provider's.
  dpop: {
    client: { dpop_bound_access_tokens: true },
    idp: { settings: { features: { dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => true } } }, claimsIn: 'userinfo' },
    toml: 'dpop_bound_access_tokens = true',
  },
  'form-post': { idp: { formPostOnly: true }, toml: 'response_mode = "form_post"' },
  bound: {
    client: { dpop_bound_access_tokens: true }, idp: { settings: { issueRefreshToken: async () => true, features: { dPoP: { enabled: true } } } },
    toml: 'dpop_bound_access_tokens = true',
  },
  rotating: { idp: { settings: { rotateRefreshToken: true, issueRefreshToken: async () => true } } },
  path: { idp: { path: '/tenant/one' } },
  slash: { idp: { path: '/' } },
  'path-slash': { idp: { path: '/application/o/countersign/' } },
}

const FAIL = {
  encrypted: {
    client: { id_token_encrypted_response_alg: 'RSA-OAEP-256', id_token_encrypted_response_enc: 'A128CBC-HS256', jwks: { keys: [encryptionKey] } },
    idp: { settings: encrypts },
    reason: 'token_invalid', log: 'ID token: it is encrypted, which is not supported: its issuer must only sign it',
  },
  'encrypted-userinfo': {
    client: {
      userinfo_signed_response_alg: 'RS256', userinfo_encrypted_response_alg: 'RSA-OAEP-256', userinfo_encrypted_response_enc: 'A128CBC-HS256',
      jwks: { keys: [encryptionKey] },
    },
    idp: { settings: encrypts, claimsIn: 'userinfo' },
    reason: 'token_invalid', log: 'userinfo: it is encrypted, which is not supported: its issuer must only sign it',
  },
  'another-algorithm': {
    client: { id_token_signed_response_alg: 'PS256' }, idp: { settings: signs('PS256', 'RS256') }, toml: 'id_token_signed_response_alg = "RS256"',
    reason: 'token_invalid', log: 'ID token: it is signed with PS256, which is not accepted: set id_token_signed_response_alg to it',
  },
  // The provider's words for a proof of possession (DPoP) that is missing, because the file does not say so.
  'bound-tokens': {
    client: { dpop_bound_access_tokens: true }, idp: { settings: { features: { dPoP: { enabled: true } } } },
    reason: 'provider_error', log: 'token endpoint: error \\"invalid_grant\\"',
  },
}

const KINDS = { ...WORK, ...FAIL }
const idps = {}
let broker

before(async () => {
  const at = await place()
  const started = await Promise.allSettled(Object.entries(KINDS).map(async ([id, { client = {}, idp }]) => {
    const accounts = { alice: { sub: 'corp-1', preferred_username: `alice-${id}`, name: 'Alice Example', email: 'alice@corp.example', email_verified: true, groups: ['sre'] } }
    const more = typeof client === 'function' ? client(at.issuer) : client
    idps[id] = await startIdp({ name: id, accounts, brokers: [registered(at.issuer, id, { secret: LONG_SECRET, ...more })], ...idp, settings: { ...signs('RS256'), ...idp.settings } })
  }))
  for (const one of started) if (one.reason) throw one.reason
  const toml = Object.entries(KINDS).map(([id, { toml = '' }]) => `
[providers.${id}]
issuer = "${idps[id].issuer}"
client_id = "countersign"
${toml.includes('client_key') ? '' : 'client_secret = { file = "secret" }'}
on_refresh = { claims = "upstream", max_age = "0s" }
asserted_roles = []
${toml}
[clients.app-${id}]
client_secret_hashes = ["${hashed(`secret of ${id}`)}"]
redirect_uris = ["${callback(id)}"]
post_logout_redirect_uris = ["${bye(id)}"]
providers = ["${id}"]
`)
  broker = new Broker(at, overlay(at, toml.join('')), { secret: LONG_SECRET, 'broker-key': pem() })
  await broker.start()
})

after(async () => {
  await broker?.stop()
  await Promise.all(Object.values(idps).map((idp) => idp.close()))
})

const app = (id) => App.at(broker.issuer, { id: `app-${id}`, secret: `secret of ${id}`, redirectUri: callback(id) })
const probe = async (id) => {
  const { code, stdout, stderr } = await run(['providers', 'probe', id, '--config', broker.file], { cwd: broker.folder })
  return { code, said: stdout + stderr }
}

for (const [id, { probe: expected = /^ +ok +token .*it accepts our credentials \(client_secret_basic\)/m }] of Object.entries(WORK)) {
  test(`${id}: probed, signed in, refreshed, signed out`, async () => {
    const { code, said } = await probe(id)
    assert.equal(code, 0, said)
    assert.match(said, expected)

    const [one, browser] = [await app(id), new Browser([APPS])]
    const { claims, tokens } = await one.signIn(browser, { login: 'alice' }).catch((error) => { throw new Error(`${error.message}\n${broker.log}`) })
    const { preferred_username: username, name, groups } = person(claims)
    assert.deepEqual([username, name, groups], [`alice-${id}`, 'Alice Example', ['sre']])

    // Where the provider gives no refresh token, the claims of the sign-in stay.
    idps[id].accounts.alice.groups = ['sre', 'wiki']
    let token = tokens.refresh_token
    for (let round = 0; round < 2; round += 1) {
      const again = await one.refresh(token)
      assert.equal(again.claims().sub, claims.sub)
      assert.deepEqual(again.claims().groups, ['rotating', 'bound'].includes(id) ? ['sre', 'wiki'] : ['sre'])
      token = again.refresh_token
    }
    const page = await browser.open(one.endSession({ id_token_hint: tokens.id_token, post_logout_redirect_uri: bye(id) }))
    assert.equal((page.left ? page : await page.click('Log out')).url.href, bye(id), `${page}`)
  })
}

for (const [id, { reason, log }] of Object.entries(FAIL)) {
  test(`${id}: refused, with the reason`, async () => {
    const earlier = broker.log.length
    const form = await new Browser([APPS]).open((await (await app(id)).begin()).url)
    const page = await form.click('Log in', { login: 'alice' })
    // What the provider itself refused is told to the app, what the broker refuses stays on its own page.
    const told = page.left ? page.url.searchParams.get('error_description') : page.text
    assert.ok(told.includes(reason), `${page}`)
    const logged = broker.log.slice(earlier)
    assert.ok(logged.includes(log), logged)
  })
}

test('a provider that answers only in a form: the probe names the setting', async () => {
  const toml = broker.read().replace('response_mode = "form_post"', '')
  const file = join(folder({ 'broker.toml': toml, secret: LONG_SECRET, 'broker-key': pem() }), 'broker.toml')
  const { stdout } = await run(['providers', 'probe', 'form-post', '--config', file])
  assert.match(stdout, /an answer in the query: .* set response_mode = "form_post"/)
})
