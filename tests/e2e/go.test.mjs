// A Go application with go-oidc and golang.org/x/oauth2 (apps/go-oidc) behind Countersign, as examples/apps/go.toml says.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { person } from './support/app.mjs'
import { place, root } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { exampleBroker, hashed } from './support/example.mjs'
import { broker as brokerClient, startIdp } from './support/idp.mjs'
import { freePort } from './support/net.mjs'
import { startProcess } from './support/process.mjs'
import { ALICE, people } from './support/world.mjs'

const program = join(root, 'target/e2e-go/go-oidc')
// x/oauth2 tries HTTP Basic first and then the form: the second client accepts only the form.
const METHODS = { board: 'client_secret_basic', form: 'client_secret_post' }
const SECRET = 'board secret:+%/ ü'

const apps = {}
let idp, broker

before(async () => {
  const at = await place()
  const ports = { board: await freePort(), form: await freePort() }
  idp = await startIdp({ name: 'corp', accounts: people().corp, brokers: [brokerClient(at.issuer, 'corp')] })
  const clients = Object.entries(METHODS).map(([id, method]) => `[clients.${id}]
client_secret_hashes = ["${hashed(SECRET)}"]
token_endpoint_auth_method = "${method}"
redirect_uris = ["http://127.0.0.1:${ports[id]}/callback"]
post_logout_redirect_uris = ["http://127.0.0.1:${ports[id]}/bye"]
`)
  broker = exampleBroker('apps/go', at, idp.issuer, clients.join(''))
  await broker.start()
  for (const id of Object.keys(METHODS)) {
    const address = `127.0.0.1:${ports[id]}`
    const env = { ISSUER: at.issuer, CLIENT_ID: id, CLIENT_SECRET: SECRET, ADDRESS: address }
    apps[id] = { address: `http://${address}`, ...await startProcess(`the Go app ${id}`, program, [], { url: `http://${address}/bye`, env }) }
  }
})

after(async () => {
  await Promise.all(Object.values(apps).map((app) => app.stop()))
  await broker?.stop()
  await idp?.close()
})

const shown = (page) => JSON.parse(page.body)

for (const [id, method] of Object.entries(METHODS)) {
  test(`go-oidc with ${method}: signs in, asks userinfo, refreshes, signs out everywhere`, async () => {
    const app = apps[id]
    const browser = new Browser()
    const form = await browser.open(app.address)
    assert.ok(form.has('input[name=login]'), `${form}`)
    const page = await form.click('Log in', { login: 'alice' })
    assert.equal(page.url.href, `${app.address}/`, `${page}\n${broker.log}`)
    const claims = shown(page)
    assert.deepEqual(person(claims), ALICE)
    assert.deepEqual([claims.iss, claims.aud], [broker.issuer, id])

    assert.deepEqual(shown(await browser.open(`${app.address}/userinfo`)), { sub: claims.sub, ...ALICE })

    const refreshed = shown(await browser.open(`${app.address}/refresh`))
    assert.equal(refreshed.rotated, true)
    assert.equal(refreshed.claims.sub, claims.sub)
    assert.deepEqual(person(refreshed.claims), ALICE)

    const confirm = await browser.open(`${app.address}/logout`)
    assert.equal(confirm.url.origin, idp.issuer, `${confirm}`)
    assert.equal((await confirm.click('Log out')).url.href, `${app.address}/bye`)
    const again = await browser.open(app.address)
    assert.ok(again.has('input[name=login]'), `everybody asks again: ${again}`)
  })
}
