// oauth2-proxy, set up as examples/apps/oauth2-proxy.toml says, in front of an app that shows the headers which it gets.
import assert from 'node:assert/strict'
import http from 'node:http'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { folder, place, root } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { exampleBroker, hashed, recipe } from './support/example.mjs'
import { broker as registered, startIdp } from './support/idp.mjs'
import { close, freePort, listen } from './support/net.mjs'
import { startProcess } from './support/process.mjs'
import { until } from './support/until.mjs'
import { people } from './support/world.mjs'

const accounts = people().corp
accounts.alice.groups = ['staff', 'sre']
accounts.bob.groups = []

let idp, broker, app, proxy, address

before(async () => {
  const at = await place()
  const port = await freePort()
  address = `http://127.0.0.1:${port}`
  app = http.createServer((request, response) => response.end(JSON.stringify(request.headers)))
  const behind = await listen(app)
  idp = await startIdp({ name: 'corp', accounts, brokers: [registered(at.issuer, 'corp')], settings: { issueRefreshToken: async () => true } })
  broker = exampleBroker('apps/oauth2-proxy', at, idp.issuer, `
on_refresh = { claims = "upstream", max_age = "0s" }
[clients.oauth2-proxy]
client_secret_hashes = ["${hashed('proxy-secret')}"]
redirect_uris = ["${address}/oauth2/callback"]
post_logout_redirect_uris = ["${address}/bye"]
tokens = { access_token = "3s", id_token = "3s" }
`)
  await broker.start()

  const secrets = folder({ 'oauth2-proxy': 'proxy-secret', 'oauth2-proxy-cookie': '0123456789abcdef0123456789abcdef' })
  // The settings of the example with this machine's addresses, and a group that is lost shows at the next request.
  const settings = recipe('apps/oauth2-proxy')
    .replaceAll('https://sso.example.com', at.issuer).replaceAll('sso.example.com', new URL(at.issuer).host)
    .replaceAll('https://app.example.com', address).replaceAll('/run/secrets', secrets).replace('cookie_refresh = "4m"', 'cookie_refresh = "1s"')
  const more = `http_address = "127.0.0.1:${port}"\nupstreams = ["http://127.0.0.1:${behind}"]\ncookie_secure = false\nskip_auth_routes = ["^/bye$"]\n`
  const file = join(folder({ 'oauth2-proxy.cfg': `${settings}\n${more}` }), 'oauth2-proxy.cfg')
  proxy = await startProcess('oauth2-proxy', join(root, 'target/e2e-go/oauth2-proxy'), [`--config=${file}`], { url: `${address}/ping` })
})

after(async () => {
  await proxy?.stop()
  await broker?.stop()
  await idp?.close()
  if (app) await close(app)
})

async function signedIn() {
  const browser = new Browser()
  const form = await browser.open(`${address}/here?x=1`)
  assert.ok(form.has('input[name=login]'), `${form}\n${proxy.log()}`)
  const page = await form.click('Log in', { login: 'alice' })
  assert.equal(page.url.href, `${address}/here?x=1`, `${page}\n${proxy.log()}`)
  return { browser, headers: JSON.parse(page.body) }
}

test('oauth2-proxy signs in, and the app gets the person in headers', async () => {
  const { headers } = await signedIn()
  const { 'x-forwarded-user': sub, ...given } = Object.fromEntries(Object.entries(headers).filter(([name]) => /^x-forwarded-(user|email|groups|preferred)/.test(name)))
  assert.deepEqual(given, { 'x-forwarded-email': 'alice@corp.example', 'x-forwarded-preferred-username': 'alice', 'x-forwarded-groups': 'staff,sre' })
  assert.match(sub, /^[\w-]{22}$/, "the broker's subject")
})

test('somebody without the group is refused by the broker, on a page that says why', async () => {
  const form = await new Browser().open(address)
  const page = await form.click('Log in', { login: 'bob' })
  assert.equal(page.url.origin, broker.issuer, `${page}`)
  assert.match(page.text, /client_requirement_not_met/)
})

test('somebody whose address is not verified is refused by oauth2-proxy', async () => {
  Object.assign(accounts.bob, { groups: ['staff'], email_verified: false })
  const form = await new Browser().open(address)
  const page = await form.click('Log in', { login: 'bob' })
  assert.deepEqual([page.status, page.url.origin], [403, address], `${page}`)
  assert.match(proxy.log(), /email in id_token \(bob@corp\.example\) isn't verified/)
})

test('a lost group ends the access when the ID token ends', async () => {
  const { browser } = await signedIn()
  accounts.alice.groups = ['sre']
  try {
    const page = await until('the access ends', async () => {
      const found = await browser.open(address)
      return found.status === 200 ? undefined : found
    })
    assert.deepEqual([page.status, page.url.origin], [403, broker.issuer], `${page}`)
    assert.match(page.text, /client_requirement_not_met/)
  } finally {
    accounts.alice.groups = ['staff', 'sre']
  }
})

test('the sign-out link ends every session and comes back', async () => {
  const { browser } = await signedIn()
  const end = `${broker.issuer}/oauth2/logout?${new URLSearchParams({ client_id: 'oauth2-proxy', post_logout_redirect_uri: `${address}/bye` })}`
  const asks = await browser.open(`${address}/oauth2/sign_out?${new URLSearchParams({ rd: end })}`)
  assert.equal(asks.url.origin, broker.issuer, `${asks}`)
  const confirm = await asks.click('Sign out')
  assert.equal(confirm.url.origin, idp.issuer, `${confirm}`)
  assert.equal((await confirm.click('Log out')).url.href, `${address}/bye`)
  assert.ok((await browser.open(address)).has('input[name=login]'), 'everybody asks again')
})
