// Kubernetes, set up as examples/apps/kubernetes.toml says: the API server's authenticator (apps/kubernetes). No registry has
// kubelogin: this test sends what it sends, with the settings that the example gives it.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { client, decodeJwt } from './support/app.mjs'
import { folder, place, root } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { exampleBroker, hashed, recipe } from './support/example.mjs'
import { broker as registered, startIdp } from './support/idp.mjs'
import { certificate, freePort, tlsFront } from './support/net.mjs'
import { startProcess } from './support/process.mjs'
import { people } from './support/world.mjs'

const EXAMPLE = recipe('apps/kubernetes')
const [, CLIENT] = /--oidc-client-id=([\w-]+)/.exec(EXAMPLE)
const SCOPES = ['openid', ...[...EXAMPLE.matchAll(/--oidc-extra-scope=(\w+)/g)].map(([, scope]) => scope)].join(' ')
// kubelogin's second port, which the example does not register.
const REDIRECT = 'http://localhost:18000'

let idp, front, broker, tls, issuer, server, address

before(async () => {
  const at = await place()
  const port = await freePort()
  issuer = `https://localhost:${port}`
  tls = certificate(['localhost'])
  front = await tlsFront(tls, port, at.port)
  idp = await startIdp({ name: 'corp', accounts: people().corp, brokers: [registered(issuer, 'corp')] })
  broker = exampleBroker('apps/kubernetes', { ...at, issuer }, idp.issuer, `
[clients.wiki]
client_secret_hashes = ["${hashed('wiki-secret')}"]
redirect_uris = ["${REDIRECT}"]
`)
  await broker.start()

  const authority = `\n    certificateAuthority: |\n${tls.cert.toString().trim().replaceAll(/^/gm, '      ')}`
  const file = EXAMPLE.slice(EXAMPLE.indexOf('apiVersion:')).replace('url: https://sso.example.com', `url: ${issuer}${authority}`)
  const config = join(folder({ 'authentication.yaml': file }), 'authentication.yaml')
  const listen = `127.0.0.1:${await freePort()}`
  address = `http://${listen}`
  server = await startProcess("the API server's authenticator", join(root, 'target/e2e-go/kubernetes'), [listen, config], { url: address })
})

after(async () => {
  await server?.stop()
  await broker?.stop()
  await Promise.all([front?.close(), idp?.close()])
})

/** Signs alice in and returns what the token endpoint answered; kubelogin's redirect URI has no slash, which openid-client would add. */
async function signIn({ scope = SCOPES, id = CLIENT, secret } = {}) {
  const browser = new Browser([REDIRECT], { ca: tls.cert })
  const verifier = client.randomPKCECodeVerifier()
  const asked = { client_id: id, redirect_uri: REDIRECT, response_type: 'code', scope, state: 'state', code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' }
  const page = await browser.signIn(`${issuer}/oauth2/authorize?${new URLSearchParams(asked)}`, { login: 'alice' })
  const code = page.url.searchParams.get('code')
  assert.ok(code, `${page}`)
  return token({ grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: verifier, client_id: id, ...(secret && { client_secret: secret }) })
}

/** The answer of the token endpoint, which the app asks behind the proxy. */
async function token(body) {
  const response = await fetch(`http://127.0.0.1:${broker.port}/oauth2/token`, { method: 'POST', body: new URLSearchParams(body) })
  const answer = await response.json()
  assert.equal(response.status, 200, JSON.stringify(answer))
  return answer
}

/** Who the API server says the bearer of a token is, or why it refuses. */
async function whoAmI(token) {
  const response = await fetch(address, { headers: { authorization: `Bearer ${token}` } })
  return response.ok ? response.json() : `${response.status} ${await response.text()}`
}

test('the API server knows the user, the groups and the uid, and after a refresh too', async () => {
  const tokens = await signIn()
  const user = await whoAmI(tokens.id_token)
  assert.deepEqual([user.username, user.groups], ['oidc:alice', ['oidc:grafana-users', 'oidc:sre']], JSON.stringify(user))
  assert.equal(user.uid, decodeJwt(tokens.id_token).sub)

  const refreshed = await token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token, client_id: CLIENT })
  assert.notEqual(refreshed.id_token, tokens.id_token)
  assert.deepEqual((await whoAmI(refreshed.id_token)).groups, user.groups)
})

test('without the extra scopes the API server refuses the token, as the example says', async () => {
  const { id_token: idToken } = await signIn({ scope: 'openid' })
  assert.match(await whoAmI(idToken), /^401 .*claim not present/)
})

test('the API server accepts neither the ID token of another app nor an access token', async () => {
  const { id_token: wiki } = await signIn({ id: 'wiki', secret: 'wiki-secret' })
  assert.match(await whoAmI(wiki), /^401 .*audience/)
  const { access_token: access } = await signIn()
  assert.match(await whoAmI(access), /^401 .*claim not present/)
})
