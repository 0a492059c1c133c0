// What happens to tokens after the sign-in: refresh, introspection, revocation.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { App, decodeJwt, person, refusal } from './support/app.mjs'
import { Browser } from './support/browser.mjs'
import { ALICE, APPS, apps, bye, startWorld } from './support/world.mjs'

let world

before(async () => { world = await startWorld() })
after(() => world?.close())

const VIA_CORP = { login: 'alice', provider: 'Corporate account' }

test('a refresh rotates: new tokens, the same person, the old token good only until the new one is used', async () => {
  const app = await App.at(world.issuer, apps.grafana)
  const { tokens, claims } = await app.signIn(new Browser([APPS]), VIA_CORP)
  const second = await app.refresh(tokens.refresh_token)
  assert.notEqual(second.refresh_token, tokens.refresh_token)
  assert.notEqual(second.access_token, tokens.access_token)
  assert.equal(second.claims().sub, claims.sub)
  assert.equal(second.claims().auth_time, claims.auth_time)
  assert.deepEqual(person(second.claims()), { ...ALICE, grafana_role: 'Admin' })
  await app.verifyAccessToken(second.access_token)

  const replayed = await app.refresh(tokens.refresh_token)
  assert.equal(replayed.refresh_token, second.refresh_token, 'a lost answer: the grace hands out the same successor')

  const third = await app.refresh(second.refresh_token)
  assert.equal(await refusal(app.refresh(tokens.refresh_token)), 'invalid_grant')
  assert.equal(await refusal(app.refresh(third.refresh_token)), 'invalid_grant', 'reuse revokes the family')
})

test('a refresh may narrow the scope, never widen it', async () => {
  const app = await App.at(world.issuer, { ...apps.grafana, scope: 'openid email' })
  const { tokens } = await app.signIn(new Browser([APPS]), VIA_CORP)
  assert.equal(await refusal(app.refresh(tokens.refresh_token, { scope: 'openid groups' })), 'invalid_scope')
  const narrow = await app.refresh(tokens.refresh_token, { scope: 'openid' })
  assert.equal(narrow.scope, 'openid')
  assert.equal(narrow.claims().email, undefined)
})

test('a refresh token of another client is worth nothing', async () => {
  const [grafana, gitlab] = [await App.at(world.issuer, apps.grafana), await App.at(world.issuer, apps.gitlab)]
  const { tokens } = await grafana.signIn(new Browser([APPS]), VIA_CORP)
  assert.equal(await refusal(gitlab.refresh(tokens.refresh_token)), 'invalid_grant')
  assert.ok((await grafana.refresh(tokens.refresh_token)).access_token, 'and the thief did not spoil it')
})

test('offline_access outlives the session, the rest does not', async () => {
  const app = await App.at(world.issuer, { ...apps.grafana, scope: 'openid offline_access' })
  const online = await App.at(world.issuer, { ...apps.grafana, scope: 'openid' })
  const browser = new Browser([APPS])
  const { url, checks } = await app.begin({ prompt: 'consent' })
  let page = await browser.open(url)
  page = await page.click('Corporate account')
  page = await page.click('Log in', { login: 'alice' })
  if (!page.left) page = await page.click('Allow')
  const tokens = await app.finish(page.url, checks)
  assert.equal(tokens.scope, 'openid offline_access')
  const bound = (await online.signIn(browser, VIA_CORP)).tokens

  const atIdp = await browser.open(app.endSession({ id_token_hint: tokens.id_token, post_logout_redirect_uri: bye('grafana') }))
  assert.ok((await atIdp.click('Log out')).left)
  assert.equal(await refusal(online.refresh(bound.refresh_token)), 'invalid_grant')
  assert.ok((await app.refresh(tokens.refresh_token)).access_token)
})

test('introspection: for the client it was issued to and for the API that the file names, for nobody else', async () => {
  const [grafana, gitlab, api] = [await App.at(world.issuer, apps.grafana), await App.at(world.issuer, apps.gitlab), await App.at(world.issuer, apps.orders)]
  const { tokens, claims } = await grafana.signIn(new Browser([APPS]), VIA_CORP, { resource: 'https://api.example.com/orders' })
  const own = await grafana.introspect(tokens.access_token)
  assert.equal(own.active, true)
  assert.equal(own.sub, claims.sub)
  assert.equal(own.client_id, 'grafana')
  assert.equal(own.iss, world.issuer)
  assert.equal(own.scope, 'openid profile email groups')
  const named = await api.introspect(tokens.access_token)
  assert.equal(named.active, true)
  assert.equal(named.username, 'alice')
  assert.deepEqual(named.groups, ['grafana-users', 'sre'])
  assert.deepEqual(await gitlab.introspect(tokens.access_token), { active: false })
  assert.equal((await grafana.introspect(tokens.refresh_token, 'refresh_token')).active, true)
  assert.deepEqual(await api.introspect(tokens.refresh_token), { active: false })
  assert.deepEqual(await grafana.introspect('no token of ours'), { active: false })
})

test('revoking the refresh token ends its tokens; revoking another client\'s does nothing', async () => {
  const [grafana, gitlab] = [await App.at(world.issuer, apps.grafana), await App.at(world.issuer, apps.gitlab)]
  const { tokens } = await grafana.signIn(new Browser([APPS]), VIA_CORP)
  await gitlab.revoke(tokens.refresh_token).catch(() => {})
  await gitlab.revoke(tokens.access_token).catch(() => {})
  assert.equal((await grafana.introspect(tokens.access_token)).active, true)

  await grafana.revoke(tokens.refresh_token)
  assert.equal(await refusal(grafana.refresh(tokens.refresh_token)), 'invalid_grant')
  assert.deepEqual(await grafana.introspect(tokens.access_token), { active: false })
  const answer = await fetch(grafana.config.serverMetadata().userinfo_endpoint, { headers: { authorization: `Bearer ${tokens.access_token}` } })
  assert.equal(answer.status, 401)
  assert.match(answer.headers.get('www-authenticate'), /invalid_token/)
})

test('revoking an access token ends it for userinfo and introspection', async () => {
  const app = await App.at(world.issuer, apps.gitlab)
  const { tokens } = await app.signIn(new Browser([APPS]), { login: 'alice' })
  await app.revoke(tokens.access_token)
  assert.deepEqual(await app.introspect(tokens.access_token), { active: false })
})

test('userinfo by GET, by POST with the header, by POST with the body', async () => {
  const app = await App.at(world.issuer, apps.gitlab)
  const { tokens } = await app.signIn(new Browser([APPS]), { login: 'alice' })
  const url = app.config.serverMetadata().userinfo_endpoint
  const headers = { authorization: `Bearer ${tokens.access_token}` }
  const answers = [
    await fetch(url, { headers }),
    await fetch(url, { method: 'POST', headers }),
    await fetch(url, { method: 'POST', body: new URLSearchParams({ access_token: tokens.access_token }) }),
  ]
  for (const answer of answers) {
    assert.equal(answer.status, 200)
    assert.deepEqual(await answer.json(), { sub: decodeJwt(tokens.id_token).sub, ...ALICE })
  }
})
