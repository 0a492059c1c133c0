// Argo CD, set up as examples/apps/argo-cd.toml says: its settings, sign-in, sign-out and RBAC (apps/argo-cd).
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { folder, place, root } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { exampleBroker, hashed, recipe } from './support/example.mjs'
import { broker as registered, startIdp } from './support/idp.mjs'
import { freePort } from './support/net.mjs'
import { startProcess } from './support/process.mjs'
import { people } from './support/world.mjs'

const SECRET = 'argo secret:+%/ ü'

let idp, broker, argo, address

before(async () => {
  const at = await place()
  const listen = `127.0.0.1:${await freePort()}`
  address = `http://${listen}`
  idp = await startIdp({ name: 'corp', accounts: people().corp, brokers: [registered(at.issuer, 'corp')] })
  broker = exampleBroker('apps/argo-cd', at, idp.issuer, `
[clients.argo-cd]
client_secret_hashes = ["${hashed(SECRET)}"]
redirect_uris = ["${address}/auth/callback"]
post_logout_redirect_uris = ["${address}"]
`)
  await broker.start()
  const settings = recipe('apps/argo-cd').replaceAll('https://sso.example.com', at.issuer).replaceAll('https://argocd.example.com', address)
  const file = join(folder({ 'argocd.yaml': settings }), 'argocd.yaml')
  argo = await startProcess('Argo CD', join(root, 'target/e2e-go/argo-cd'), [listen, file], { url: address, env: { SECRET } })
})

after(async () => {
  await argo?.stop()
  await broker?.stop()
  await idp?.close()
})

async function signedIn(login) {
  const browser = new Browser()
  const form = await browser.open(`${address}/auth/login?${new URLSearchParams({ return_url: `${address}/applications` })}`)
  assert.ok(form.has('input[name=login]'), `${form}\n${argo.log()}`)
  const page = await form.click('Log in', { login })
  assert.equal(page.url.href, `${address}/applications`, `${page}\n${argo.log()}`)
  const { sub, ...user } = JSON.parse(page.body)
  assert.match(sub, /^[\w-]{22}$/, "the broker's subject")
  return { browser, user }
}

test('the group of the policy makes an administrator, everybody else looks', async () => {
  const { browser, user } = await signedIn('alice')
  assert.deepEqual(user, { username: 'alice@corp.example', groups: ['grafana-users', 'sre'], changes: true, looks: true })
  assert.ok(browser.visited.some((line) => line.includes('code_challenge_method=S256')), 'PKCE, as the example switches it on')
  const { user: other } = await signedIn('bob')
  assert.deepEqual(other, { username: 'bob@corp.example', groups: ['staff'], changes: false, looks: true })
})

test("Argo CD's sign-out ends the sessions at the broker and at the provider, and comes back", async () => {
  const { browser } = await signedIn('alice')
  const confirm = await browser.open(`${address}/auth/logout`)
  assert.equal(confirm.url.origin, idp.issuer, `nobody is asked at the broker: ${confirm}\n${argo.log()}`)
  const page = await confirm.click('Log out')
  assert.deepEqual([page.url.href, page.status], [`${address}/`, 401], `${page}`)
  const again = await browser.open(`${address}/auth/login`)
  assert.ok(again.has('input[name=login]'), `everybody asks again: ${again}`)
})
