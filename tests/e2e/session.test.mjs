// One session for many apps: sign-in page, single sign-on, prompt, max_age, sign-out.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { App, refusal } from './support/app.mjs'
import { Browser } from './support/browser.mjs'
import { APPS, apps, bye, startWorld } from './support/world.mjs'

let world

before(async () => { world = await startWorld() })
after(() => world?.close())

const VIA_CORP = { login: 'alice', provider: 'Corporate account' }

/** The response to an authorization request without a page: the parameters at the app. */
async function answer(browser, app, extra) {
  const { url, checks } = await app.begin(extra)
  const page = await browser.open(url)
  assert.ok(page.left, `at the app: ${page}`)
  return { fields: page.url.searchParams, url: page.url, checks }
}

test('the sign-in page names the app and offers both IdPs; the last used comes first next time', async () => {
  const app = await App.at(world.issuer, apps.grafana)
  const browser = new Browser([APPS])
  const page = await browser.open((await app.begin()).url)
  assert.equal(page.status, 200)
  assert.match(page.text, /Grafana 監控/)
  const order = (shown) => shown.indexOf('Corporate account') < shown.indexOf('Partner account')
  assert.ok(page.text.includes('Corporate account') && page.text.includes('Partner account'))
  assert.equal(order(page.text), true)

  await app.signIn(browser, { login: 'dora', provider: 'Partner account' })
  const again = await browser.open((await app.begin({ prompt: 'select_account' })).url)
  assert.equal(order(again.text), false, again.text)
})

test('the second app signs in without the IdP, as the same person and session', async () => {
  const [grafana, gitlab] = [await App.at(world.issuer, apps.grafana), await App.at(world.issuer, apps.gitlab)]
  const browser = new Browser([APPS])
  const first = await grafana.signIn(browser, VIA_CORP)
  browser.visited.length = 0
  const second = await gitlab.signIn(browser, {})
  assert.deepEqual(browser.visited.filter((step) => step.includes(world.corp.issuer)), [])
  assert.equal(second.claims.sub, first.claims.sub)
  assert.equal(second.claims.auth_time, first.claims.auth_time)
  assert.ok(second.claims.sid)
})

test('prompt=none: login_required without a session, a code with one', async () => {
  const app = await App.at(world.issuer, apps.grafana)
  const browser = new Browser([APPS])
  const before = await answer(browser, app, { prompt: 'none' })
  assert.equal(before.fields.get('error'), 'login_required')
  assert.equal(before.fields.get('state'), before.checks.expectedState)
  assert.equal(before.fields.get('iss'), world.issuer)

  await app.signIn(browser, VIA_CORP)
  const silent = await answer(browser, app, { prompt: 'none' })
  assert.ok((await app.finish(silent.url, silent.checks)).id_token)

  const mixed = await answer(browser, app, { prompt: 'none login' })
  assert.equal(mixed.fields.get('error'), 'invalid_request')
})

test('prompt=login and max_age=0 reach the IdP; a generous max_age does not', async () => {
  const app = await App.at(world.issuer, apps.gitlab)
  const browser = new Browser([APPS])
  const first = await app.signIn(browser, { login: 'alice' })
  const logins = () => world.corp.counts.logins
  let count = logins()

  const forced = await app.signIn(browser, { login: 'alice' }, { prompt: 'login' })
  assert.equal(logins(), count += 1, 'prompt=login shows the login form again')
  assert.ok(forced.claims.auth_time >= first.claims.auth_time)
  assert.equal(forced.claims.sub, first.claims.sub)

  const now = await app.signIn(browser, { login: 'alice' }, { max_age: '0' })
  assert.equal(logins(), count += 1, 'max_age=0 shows the login form again')
  assert.ok(now.claims.auth_time >= forced.claims.auth_time)

  const relaxed = await app.signIn(browser, { login: 'alice' }, { max_age: '3600' })
  assert.equal(logins(), count)
  assert.equal(relaxed.claims.auth_time, now.claims.auth_time)
})

test('id_token_hint of somebody else is login_required', async () => {
  const app = await App.at(world.issuer, apps.gitlab)
  const bob = await app.signIn(new Browser([APPS]), { login: 'bob' })
  const browser = new Browser([APPS])
  const alice = await app.signIn(browser, { login: 'alice' })
  const wrong = await answer(browser, app, { prompt: 'none', id_token_hint: bob.tokens.id_token })
  assert.equal(wrong.fields.get('error'), 'login_required')
  const right = await answer(browser, app, { prompt: 'none', id_token_hint: alice.tokens.id_token })
  assert.ok(right.fields.get('code'))
})

test('login_hint reaches the IdP', async () => {
  const app = await App.at(world.issuer, apps.gitlab)
  const page = await new Browser([APPS]).open((await app.begin({ login_hint: 'alice@corp.example' })).url)
  assert.equal(page.root.querySelector('input[name=login]').getAttribute('value'), 'alice@corp.example')
})

test('the person refuses at the IdP: the app is told, or the page says so', async () => {
  const app = await App.at(world.issuer, apps.gitlab)
  const { url, checks } = await app.begin()
  const page = await (await new Browser([APPS]).open(url)).click('Cancel')
  if (page.left) {
    assert.equal(page.url.searchParams.get('error'), 'access_denied')
    assert.equal(page.url.searchParams.get('state'), checks.expectedState)
  } else {
    assert.match(page.text, /access_denied|provider_error/)
  }
  assert.equal(page.url.searchParams.get('code'), null)
})

test('sign-out ends the session here, at the IdP, and lands at the app with its state', async () => {
  const app = await App.at(world.issuer, apps.grafana)
  const browser = new Browser([APPS])
  const { tokens } = await app.signIn(browser, VIA_CORP)
  const count = world.corp.counts.logins

  const url = app.endSession({ id_token_hint: tokens.id_token, post_logout_redirect_uri: bye('grafana'), state: 'good bye' })
  const atIdp = await browser.open(url)
  assert.equal(atIdp.url.origin, world.corp.issuer, `${atIdp}`)
  const page = await atIdp.click('Log out')
  assert.ok(page.left, `${page}`)
  assert.equal(page.url.origin + page.url.pathname, bye('grafana'))
  assert.equal(page.url.searchParams.get('state'), 'good bye')

  assert.equal((await answer(browser, app, { prompt: 'none' })).fields.get('error'), 'login_required')
  assert.equal(await refusal(app.refresh(tokens.refresh_token)), 'invalid_grant', 'no refresh after the session')
  assert.equal((await app.introspect(tokens.access_token)).active, false)
  await app.signIn(browser, VIA_CORP)
  assert.equal(world.corp.counts.logins, count + 1, 'the IdP asks again')
})

test('sign-out without a hint asks first; an unregistered address is a page', async () => {
  const app = await App.at(world.issuer, apps.gitlab)
  const browser = new Browser([APPS, world.corp.issuer])
  const signIn = new Browser([APPS])
  signIn.jar = browser.jar
  await app.signIn(signIn, { login: 'alice' })

  const bad = await browser.open(app.endSession({ post_logout_redirect_uri: 'http://127.0.0.1:9/elsewhere' }))
  assert.equal(bad.left, false)
  assert.equal(bad.status, 400)

  const ask = await browser.open(app.endSession({ client_id: 'gitlab', post_logout_redirect_uri: bye('gitlab') }))
  assert.equal(ask.status, 200)
  await ask.click('Stay signed in')
  assert.ok((await answer(browser, app, { prompt: 'none' })).fields.get('code'), 'still signed in')

  const again = await browser.open(app.endSession({ client_id: 'gitlab', post_logout_redirect_uri: bye('gitlab') }))
  await again.click('Sign out')
  assert.equal((await answer(browser, app, { prompt: 'none' })).fields.get('error'), 'login_required')
})
