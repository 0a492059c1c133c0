// Real apps (openid-client, certified) sign people in through a real IdP (oidc-provider, certified).
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { App, client, decodeJwt, person, refusal } from './support/app.mjs'
import { Browser } from './support/browser.mjs'
import { ALICE, APPS, apps, callback, startWorld } from './support/world.mjs'

let world

before(async () => { world = await startWorld() })
after(() => world?.close())

const VIA_CORP = { login: 'alice', provider: 'Corporate account' }

test('discovery says what works, and the issuer character for character', async () => {
  const app = await App.at(world.issuer, apps.grafana)
  const metadata = app.config.serverMetadata()
  assert.equal(metadata.issuer, world.issuer)
  assert.deepEqual([...metadata.response_types_supported], ['code'])
  assert.deepEqual([...metadata.code_challenge_methods_supported], ['S256'])
  assert.equal(metadata.authorization_response_iss_parameter_supported, true)
  assert.deepEqual([...metadata.token_endpoint_auth_methods_supported].sort(), ['client_secret_basic', 'client_secret_post', 'none'])
  for (const scope of ['openid', 'profile', 'email', 'groups', 'offline_access']) assert.ok(metadata.scopes_supported.includes(scope), scope)
  const oauth = await (await fetch(`${world.issuer}/.well-known/oauth-authorization-server`)).json()
  assert.equal(oauth.token_endpoint, metadata.token_endpoint)
})

test('client_secret_basic: exact claims in the ID token and in userinfo', async () => {
  const app = await App.at(world.issuer, apps.grafana)
  const { claims, tokens } = await app.signIn(new Browser([APPS]), VIA_CORP)
  const expected = { ...ALICE, grafana_role: 'Admin' }
  assert.deepEqual(person(claims), expected)
  assert.equal(claims.aud, 'grafana')
  assert.match(claims.sub, /^[\x21-\x7e]{8,255}$/)
  assert.notEqual(claims.sub, 'corp-1', 'the subject is the broker\'s own')
  assert.deepEqual(claims.amr, ['pwd', 'mfa'])
  assert.equal(claims.acr, 'urn:example:silver')
  assert.ok(claims.at_hash && claims.sid && claims.auth_time, 'at_hash, sid, auth_time')
  assert.equal(tokens.token_type, 'bearer')
  assert.equal(tokens.expires_in, 3600)
  assert.equal(tokens.scope, 'openid profile email groups')
  assert.deepEqual(await app.userinfo(tokens), { sub: claims.sub, ...expected })
})

test('client_secret_post, straight to the only provider', async () => {
  const app = await App.at(world.issuer, apps.gitlab)
  const browser = new Browser([APPS])
  const { claims } = await app.signIn(browser, { login: 'alice' })
  assert.deepEqual(person(claims), ALICE)
})

test('none: a public app with PKCE', async () => {
  const app = await App.at(world.issuer, apps.cli)
  const { claims } = await app.signIn(new Browser([APPS]), { login: 'bob' })
  assert.deepEqual(person(claims), {
    preferred_username: 'bob', name: 'Bob Example', email: 'bob@corp.example', email_verified: false, groups: ['staff'],
  })
})

test('the other IdP: claims by userinfo, one group as a string, the same sub as somebody else has', async () => {
  const app = await App.at(world.issuer, apps.grafana)
  const alice = await app.signIn(new Browser([APPS]), VIA_CORP)
  const dora = await app.signIn(new Browser([APPS]), { login: 'dora', provider: 'Partner account' })
  assert.deepEqual(person(dora.claims), {
    preferred_username: 'dora', name: 'Dora 例', email: 'dora@partner.example', email_verified: true, groups: ['partners'], grafana_role: 'Viewer',
  })
  assert.notEqual(dora.claims.sub, alice.claims.sub)
  assert.equal(dora.claims.auth_time, undefined, 'that IdP does not say when, so nobody does')
})

test('the access token verifies with a stock JOSE library', async () => {
  const app = await App.at(world.issuer, apps.grafana)
  const { tokens, claims } = await app.signIn(new Browser([APPS]), VIA_CORP)
  const { payload, protectedHeader } = await app.verifyAccessToken(tokens.access_token)
  assert.equal(protectedHeader.typ, 'at+jwt')
  assert.equal(protectedHeader.alg, 'RS256')
  assert.equal(payload.sub, claims.sub)
  assert.equal(payload.client_id, 'grafana')
  assert.equal(payload.scope, 'openid profile email groups')
  assert.equal(payload.exp - payload.iat, 3600)
  assert.deepEqual(payload.groups, ['grafana-users', 'sre'])
  await assert.rejects(app.verifyAccessToken(tokens.id_token), 'an ID token is no access token')
})

test('a resource sets the audience, and only one that the file allows', async () => {
  const app = await App.at(world.issuer, apps.grafana)
  const { tokens } = await app.signIn(new Browser([APPS]), VIA_CORP, { resource: 'https://api.example.com/orders' })
  await app.verifyAccessToken(tokens.access_token, 'https://api.example.com/orders')

  const { url } = await app.begin({ resource: 'https://api.example.com/other' })
  const page = await new Browser([APPS]).open(url)
  assert.equal(page.url.searchParams.get('error'), 'invalid_target')
})

test('roles for who asks for them', async () => {
  const app = await App.at(world.issuer, { ...apps.grafana, scope: 'openid roles' })
  const alice = await app.signIn(new Browser([APPS]), VIA_CORP)
  assert.deepEqual(person(alice.claims), { roles: ['admin'], grafana_role: 'Admin' })
  const bob = await app.signIn(new Browser([APPS]), { login: 'bob', provider: 'Corporate account' })
  assert.deepEqual(person(bob.claims), { roles: ['viewer'], grafana_role: 'Viewer' })
})

test('plain OAuth 2.0 without openid: no ID token, no userinfo', async () => {
  const app = await App.at(world.issuer, { ...apps.grafana, scope: 'profile' })
  const { url, checks } = await app.begin()
  const page = await new Browser([APPS]).signIn(url, VIA_CORP)
  const tokens = await app.finish(page.url, checks)
  assert.equal(tokens.id_token, undefined)
  assert.equal(tokens.scope, 'profile')
  const answer = await fetch(app.config.serverMetadata().userinfo_endpoint, { headers: { authorization: `Bearer ${tokens.access_token}` } })
  assert.equal(answer.status, 403)
  assert.match(answer.headers.get('www-authenticate'), /insufficient_scope/)
})

test('response modes: form_post by a form that the page sends, fragment behind #', async () => {
  const app = await App.at(world.issuer, apps.gitlab)
  const browser = new Browser([APPS])
  await app.signIn(browser, { login: 'alice' })

  const posted = await app.begin({ response_mode: 'form_post' })
  const page = await browser.open(posted.url)
  const form = page.root.querySelector('form')
  assert.equal(form.getAttribute('action'), callback('gitlab'))
  assert.equal(form.getAttribute('method').toLowerCase(), 'post')
  const fields = Object.fromEntries(form.querySelectorAll('input').map((input) => [input.getAttribute('name'), input.getAttribute('value')]))
  assert.equal(fields.state, posted.checks.expectedState)
  assert.equal(fields.iss, world.issuer)
  assert.ok(fields.code)

  const fragment = await app.begin({ response_mode: 'fragment' })
  const left = await browser.open(fragment.url)
  assert.equal(new URLSearchParams(left.url.hash.slice(1)).get('state'), fragment.checks.expectedState)
})

test('who lacks what the app requires gets a page with the reason, not a code', async () => {
  const app = await App.at(world.issuer, apps.vault)
  const { url } = await app.begin()
  const browser = new Browser([APPS])
  let page = await browser.open(url)
  page = await page.click('Corporate account')
  page = await page.click('Log in', { login: 'bob' })
  assert.equal(page.left, false)
  assert.equal(page.status, 403)
  assert.match(page.text, /client_requirement_not_met/)
  assert.match(page.headers.get('content-security-policy'), /default-src 'none'/)
  assert.equal(page.headers.get('cache-control'), 'no-store')
})

test('a code works once; the second use revokes what the first one issued', async () => {
  const app = await App.at(world.issuer, apps.grafana)
  const { url, checks } = await app.begin()
  const page = await new Browser([APPS]).signIn(url, VIA_CORP)
  const tokens = await app.finish(page.url, checks)
  assert.equal((await app.introspect(tokens.access_token)).active, true)
  assert.equal(await refusal(app.finish(page.url, checks)), 'invalid_grant')
  assert.equal((await app.introspect(tokens.access_token)).active, false)
  assert.equal(await refusal(app.refresh(tokens.refresh_token)), 'invalid_grant')
})

test('a code is bound to its verifier, its client and the client\'s secret', async () => {
  const app = await App.at(world.issuer, apps.grafana)
  const code = async () => {
    const { url, checks } = await app.begin()
    return { url: (await new Browser([APPS]).signIn(url, VIA_CORP)).url, checks }
  }
  let { url, checks } = await code()
  assert.equal(await refusal(app.finish(url, { ...checks, pkceCodeVerifier: client.randomPKCECodeVerifier() })), 'invalid_grant')

  const stranger = await App.at(world.issuer, { ...apps.gitlab, redirectUri: apps.grafana.redirectUri });
  ({ url, checks } = await code())
  assert.equal(await refusal(stranger.finish(url, checks)), 'invalid_grant')

  const impostor = await App.at(world.issuer, { ...apps.grafana, secret: 'guessed' });
  ({ url, checks } = await code())
  assert.equal(await refusal(impostor.finish(url, checks)), 'invalid_client')
})

test('a redirect URI that is not registered is a page, never a redirect', async () => {
  const app = await App.at(world.issuer, apps.grafana)
  const { url } = await app.begin()
  for (const bad of ['http://127.0.0.1:9/grafana/callback/', 'http://127.0.0.1:9/grafana/callback?x=1', 'http://127.0.0.1:9@evil.example/grafana/callback', 'javascript:alert(1)']) {
    url.searchParams.set('redirect_uri', bad)
    const page = await new Browser([APPS, 'http://127.0.0.1:9@', 'javascript:']).open(url)
    assert.equal(page.left, false, bad)
    assert.equal(page.status, 400, bad)
  }
})

test('the callback in another browser is refused, and the first browser can still finish', async () => {
  const app = await App.at(world.issuer, apps.gitlab)
  const { url, checks } = await app.begin()
  const browser = new Browser([APPS, `${world.issuer}/callback/`])
  const atIdp = await browser.open(url)
  const back = await atIdp.click('Log in', { login: 'alice' })
  assert.ok(back.left && back.url.pathname === '/callback/corp', `at the callback: ${back.url}`)

  const thief = await new Browser([APPS]).open(back.url)
  assert.equal(thief.left, false)
  assert.equal(thief.status, 400)

  browser.apps = [APPS]
  const own = await browser.open(back.url)
  if (own.left) assert.ok(decodeJwt((await app.finish(own.url, checks)).id_token).sub)
  else assert.equal(own.status, 400)
})
