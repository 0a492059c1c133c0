// Apache with mod_auth_openidc behind Countersign, both configured with the lines of examples/apps/apache.toml.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { startApache, variables } from './support/apache.mjs'
import { place } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { exampleBroker, hashed, recipe } from './support/example.mjs'
import { broker as brokerClient, startIdp } from './support/idp.mjs'
import { freePort } from './support/net.mjs'
import { until } from './support/until.mjs'
import { people } from './support/world.mjs'

const EXAMPLE = 'apps/apache'
const SECRET = 'wiki-secret:+%/&='

let idp, broker, apache

before(async () => {
  const at = await place()
  const port = await freePort()
  const wiki = `http://127.0.0.1:${port}`
  idp = await startIdp({ name: 'corp', accounts: people().corp, brokers: [brokerClient(at.issuer, 'corp')] })
  broker = exampleBroker(EXAMPLE, at, idp.issuer, `
[clients.wiki]
client_secret_hashes = ["${hashed(SECRET)}"]
redirect_uris = ["${wiki}/oidc"]
post_logout_redirect_uris = ["${wiki}/signed-out"]
backchannel_logout_uri = "${wiki}/oidc?logout=backchannel"
`)
  await broker.start()
  apache = await startApache({
    port,
    directives: recipe(EXAMPLE).replaceAll('https://sso.example.com', at.issuer).replaceAll('https://wiki.example.com', wiki),
    pages: ['', 'sre', 'signed-out'],
    env: { WIKI_OIDC_SECRET: SECRET, WIKI_OIDC_PASSPHRASE: 'a passphrase of this test' },
  })
})

after(async () => {
  await apache?.close()
  await broker?.stop()
  await idp?.close()
})

/** Goes to a page of the site, through the IdP's form if it is shown; fails with the message of Apache or the broker. */
async function open(browser, path, login) {
  let page = await browser.open(apache.address + path)
  if (page.has('input[name=login]') && login) page = await page.click('Log in', { login })
  assert.ok(page.url.href.startsWith(apache.address), `${page}\n${apache.log()}\n${broker.log}`)
  return page
}

test('mod_auth_openidc signs in and hands the claims to the application', async () => {
  const browser = new Browser()
  const page = await open(browser, '/', 'alice')
  assert.equal(page.status, 200, `${page}\n${apache.log()}`)
  const seen = variables(page)
  assert.equal(seen.REMOTE_USER, 'alice')
  const claims = Object.fromEntries(['preferred_username', 'name', 'given_name', 'family_name', 'email', 'groups', 'iss', 'aud'].map((name) => [name, seen[`OIDC_CLAIM_${name}`]]))
  assert.deepEqual(claims, {
    preferred_username: 'alice', name: 'Alice Example', given_name: 'Alice', family_name: 'Example', email: 'alice@corp.example',
    groups: 'grafana-users,sre', iss: broker.issuer, aud: 'wiki',
  })
  assert.equal((await open(browser, '/sre')).status, 200, 'Require claim groups:sre')
})

test('who is not in the group is refused there, and only there', async () => {
  const browser = new Browser()
  assert.equal(variables(await open(browser, '/', 'bob')).REMOTE_USER, 'bob')
  assert.equal((await open(browser, '/sre')).status, 401)
})

test('mod_auth_openidc refreshes', async () => {
  const browser = new Browser()
  const before = variables(await open(browser, '/', 'alice'))
  const back = `${apache.address}/`
  const page = await open(browser, `/oidc?${new URLSearchParams({ refresh: back, access_token: before.OIDC_access_token })}`)
  assert.equal(page.url.href, back, `${page}\n${apache.log()}`)
  const now = variables(page)
  assert.equal(now.REMOTE_USER, 'alice')
  assert.notEqual(now.OIDC_access_token, before.OIDC_access_token)
})

test("the application's sign-out link ends the session at the broker and at the provider", async () => {
  const browser = new Browser()
  await open(browser, '/', 'alice')
  const away = await browser.open(`${apache.address}/oidc?${new URLSearchParams({ logout: `${apache.address}/signed-out` })}`)
  const page = away.url.origin === idp.issuer ? await away.click('Log out') : away
  assert.equal(page.url.href.replace(/\/$/, ''), `${apache.address}/signed-out`, `${page}\n${apache.log()}`)
  assert.equal(page.status, 200)
  const again = await browser.open(apache.address)
  assert.ok(again.has('input[name=login]'), `everybody asks again: ${again}`)
})

test('a sign-out elsewhere reaches mod_auth_openidc by the back channel', async () => {
  const browser = new Browser()
  const { OIDC_CLAIM_sid: sid } = variables(await open(browser, '/', 'alice'))
  assert.ok(sid, 'the ID token has sid')
  const asked = await browser.open(`${broker.issuer}/oauth2/logout`)
  const idpPage = await asked.click('Sign out')
  if (idpPage.url.origin === idp.issuer) await idpPage.click('Log out')
  await until('Apache asks again', async () => !(await browser.open(apache.address)).url.href.startsWith(apache.address))
  assert.match(broker.log, /backchannel_logout.*delivered/, broker.log)
})
