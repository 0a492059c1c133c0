// JupyterHub with oauthenticator, set up as examples/apps/jupyterhub.toml says. The hub alone runs, without notebooks.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { folder, place, root } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { exampleBroker, hashed, recipe } from './support/example.mjs'
import { broker as registered, startIdp } from './support/idp.mjs'
import { freePort } from './support/net.mjs'
import { startProcess } from './support/process.mjs'
import { until } from './support/until.mjs'
import { people } from './support/world.mjs'

const accounts = people().corp
accounts.alice.groups = ['staff', 'admins']
accounts.carol = { sub: 'corp-3', preferred_username: 'carol', email: 'carol@corp.example', email_verified: true, groups: ['staff'] }
accounts.bob.groups = []

const HERE = (port) => `
from jupyterhub.proxy import Proxy

class NoProxy(Proxy):
    should_start = False
    async def get_all_routes(self):
        return {}
    async def add_route(self, routespec, target, data):
        pass
    async def delete_route(self, routespec):
        pass

c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.hub_bind_url = "http://127.0.0.1:${port}"
c.JupyterHub.db_url = "sqlite:///:memory:"
c.GenericOAuthenticator.auth_refresh_age = 1
`

let idp, broker, hub, address

before(async () => {
  const at = await place()
  const port = await freePort()
  address = `http://127.0.0.1:${port}`
  idp = await startIdp({ name: 'corp', accounts, brokers: [registered(at.issuer, 'corp')], settings: { issueRefreshToken: async () => true } })
  broker = exampleBroker('apps/jupyterhub', at, idp.issuer, `
on_refresh = { claims = "upstream", max_age = "0s" }
[clients.jupyterhub]
client_secret_hashes = ["${hashed('hub-secret')}"]
redirect_uris = ["${address}/hub/oauth_callback"]
post_logout_redirect_uris = ["${address}/hub/login"]
tokens = { access_token = "2s" }
`)
  await broker.start()
  const secrets = folder({ jupyterhub: 'hub-secret\n' })
  const settings = recipe('apps/jupyterhub')
    .replaceAll('https://sso.example.com', at.issuer).replaceAll('https://hub.example.com', address)
    .replaceAll(encodeURIComponent('https://hub.example.com'), encodeURIComponent(address)).replaceAll('/run/secrets', secrets)
  const configured = folder({ 'jupyterhub_config.py': `${settings}\n${HERE(port)}` })
  const bin = join(root, 'target/e2e-jupyterhub/bin')
  hub = await startProcess('JupyterHub', join(bin, 'python'), ['-m', 'jupyterhub', '-f', join(configured, 'jupyterhub_config.py')], {
    url: `${address}/hub/health`, cwd: configured, within: 60_000, env: { JUPYTERHUB_CRYPT_KEY: '0f'.repeat(32) },
  })
})

after(async () => {
  await hub?.stop()
  await broker?.stop()
  await idp?.close()
})

/** The form of the provider, after the hub's sign-in page. */
async function begin() {
  const browser = new Browser()
  const start = await browser.open(`${address}/hub/home`)
  const form = await start.click('Sign in')
  assert.ok(form.has('input[name=login]'), `${form}\n${hub.log()}`)
  return { browser, form }
}

async function signedIn(login) {
  const { browser, form } = await begin()
  const page = await form.click('Log in', { login })
  assert.equal(page.url.href, `${address}/hub/home`, `${page}\n${hub.log()}`)
  return { browser, page }
}

test('JupyterHub signs in; the group of administrators makes one', async () => {
  const { browser, page } = await signedIn('alice')
  assert.match(page.text, /alice/)
  assert.equal((await browser.open(`${address}/hub/admin`)).status, 200)
  const { browser: other } = await signedIn('carol')
  assert.equal((await other.open(`${address}/hub/admin`)).status, 403)
})

test('somebody without the group is refused by the broker, on a page that says why', async () => {
  const { form } = await begin()
  const page = await form.click('Log in', { login: 'bob' })
  assert.equal(page.url.origin, broker.issuer, `${page}`)
  assert.match(page.text, /client_requirement_not_met/)
})

test('who loses the group has to sign in again, and is refused', async () => {
  const { browser } = await signedIn('carol')
  accounts.carol.groups = []
  try {
    const page = await until('the access ends', async () => {
      const found = await browser.open(`${address}/hub/home`)
      return found.url.pathname === '/hub/home' ? undefined : found
    })
    assert.equal(page.url.pathname, '/hub/login', `${page}`)
    const refused = await page.click('Sign in')
    assert.equal(refused.url.origin, broker.issuer, `${refused}`)
    assert.match(refused.text, /client_requirement_not_met/)
  } finally {
    accounts.carol.groups = ['staff']
  }
})

test('the sign-out ends every session and comes back', async () => {
  const { browser } = await signedIn('alice')
  const asks = await browser.open(`${address}/hub/logout`)
  assert.equal(asks.url.origin, broker.issuer, `${asks}`)
  const confirm = await asks.click('Sign out')
  assert.equal(confirm.url.origin, idp.issuer, `${confirm}`)
  assert.equal((await confirm.click('Log out')).url.href, `${address}/hub/login`)
  assert.ok((await (await browser.open(`${address}/hub/home`)).click('Sign in')).has('input[name=login]'), 'everybody asks again')
})
