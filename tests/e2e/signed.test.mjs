// Signatures in both directions: apps that sign (openid-client), and the broker signing for a real IdP (oidc-provider).
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, test } from 'node:test'

import { importPKCS8 } from 'jose'
import * as client from 'openid-client'

import { App, person } from './support/app.mjs'
import { Broker, place } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { broker as brokerClient, startIdp } from './support/idp.mjs'
import { ALICE, APPS, callback, people } from './support/world.mjs'

const pem = (key) => key.export({ format: 'pem', type: 'pkcs8' })
const keys = {
  broker: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  app: generateKeyPairSync('rsa', { modulusLength: 2048 }),
}
// oidc-provider requires 32 bytes for HS256.
const SHARED = 'a secret of thirty-two bytes or more, shared'

const toml = ({ port, adminPort, issuer }, idp) => `issuer = "${issuer}"
[server]
listen = ["127.0.0.1:${port}"]
[admin]
listen = "127.0.0.1:${adminPort}"

[providers.keyed]
name = "Keyed account"
issuer = "${idp.issuer}"
client_id = "keyed"
client_key = { file = "broker-key" }

[providers.shared]
name = "Shared account"
issuer = "${idp.issuer}"
client_id = "shared"
client_secret = { file = "shared-secret" }
token_endpoint_auth_method = "client_secret_jwt"

[clients.bank]
token_endpoint_auth_method = "private_key_jwt"
jwks = { keys = [${tomlOf(jwk('app', 'RS256'))}] }
request_object_signing_alg = "RS256"
redirect_uris = ["${callback('bank')}"]
providers = ["keyed"]

[clients.till]
client_secret = { file = "till-secret" }
token_endpoint_auth_method = "client_secret_jwt"
require_pushed_authorization_requests = true
redirect_uris = ["${callback('till')}"]
providers = ["shared"]
`

const jwk = (name, alg) => ({ ...keys[name].publicKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `${name}-1` })
const tomlOf = (object) => `{ ${Object.entries(object).map(([key, value]) => `${key} = ${JSON.stringify(value)}`).join(', ')} }`

let idp, broker, issuer

before(async () => {
  const at = await place()
  issuer = at.issuer
  idp = await startIdp({
    name: 'signed',
    accounts: people().corp,
    brokers: [
      {
        ...brokerClient(issuer, 'keyed'), client_id: 'keyed', client_secret: undefined, token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'ES256', jwks: { keys: [jwk('broker', 'ES256')] },
      },
      { ...brokerClient(issuer, 'shared'), client_id: 'shared', client_secret: SHARED, token_endpoint_auth_method: 'client_secret_jwt' },
    ],
  })
  broker = new Broker(at, toml(at, idp), { 'broker-key': pem(keys.broker.privateKey), 'shared-secret': SHARED, 'till-secret': SHARED })
  await broker.start()
})
after(async () => {
  await broker?.stop()
  await idp?.close()
})

/** The app, with a client authentication that signs. */
async function app(id, authentication) {
  const config = await client.discovery(new URL(issuer), id, { id_token_signed_response_alg: 'RS256' }, authentication, {
    execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
  })
  return Object.assign(new App(), { issuer, id, config, redirectUri: callback(id), scope: 'openid profile email groups' })
}

const bank = async () => app('bank', client.PrivateKeyJwt({ key: await importPKCS8(pem(keys.app.privateKey), 'RS256'), kid: 'app-1' }))
const till = () => app('till', client.ClientSecretJwt(SHARED))

test('private_key_jwt on both legs', async () => {
  const { claims, tokens } = await (await bank()).signIn(new Browser([APPS]), { login: 'alice' })
  assert.deepEqual(person(claims), ALICE)
  assert.equal((await (await bank()).userinfo(tokens)).sub, claims.sub)
})

test('client_secret_jwt on both legs, and a request that is pushed', async () => {
  const pushing = await till()
  const { url, checks } = await pushing.begin()
  const pushed = await client.buildAuthorizationUrlWithPAR(pushing.config, url.searchParams)
  assert.deepEqual([...pushed.searchParams.keys()].sort(), ['client_id', 'request_uri'])
  // Another provider means another account: bob signs in here for the first time.
  const page = await new Browser([APPS]).signIn(pushed, { login: 'bob' })
  const tokens = await pushing.finish(page.url, checks)
  assert.equal(tokens.claims().preferred_username, 'bob')
})

test('a signed request object, alone and pushed', async () => {
  const signing = await bank()
  const key = { key: await importPKCS8(pem(keys.app.privateKey), 'RS256'), kid: 'app-1' }
  for (const send of [(url) => url, (url) => client.buildAuthorizationUrlWithPAR(signing.config, url.searchParams)]) {
    const { url, checks } = await signing.begin()
    const object = await client.buildAuthorizationUrlWithJAR(signing.config, url.searchParams, key)
    const page = await new Browser([APPS]).signIn(await send(object), { login: 'alice' })
    const tokens = await signing.finish(page.url, checks)
    assert.deepEqual(person(tokens.claims()), ALICE)
  }
})
