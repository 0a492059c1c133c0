// The program of examples/rust-app.rs (axum and openidconnect) behind Countersign, as examples/apps/rust.toml says.
import assert from 'node:assert/strict'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'

import { person } from './support/app.mjs'
import { binary, place } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { exampleBroker, hashed } from './support/example.mjs'
import { broker as brokerClient, startIdp } from './support/idp.mjs'
import { freePort } from './support/net.mjs'
import { startProcess } from './support/process.mjs'
import { ALICE, people } from './support/world.mjs'

const program = join(dirname(binary), 'examples/rust-app')
const SECRET = 'rust secret:+%/ ü'

const accounts = people().corp
let idp, broker, app, address

before(async () => {
  const at = await place()
  const port = await freePort()
  address = `http://127.0.0.1:${port}`
  idp = await startIdp({ name: 'corp', accounts, brokers: [brokerClient(at.issuer, 'corp')] })
  broker = exampleBroker('apps/rust', at, idp.issuer, `
[clients.rust-app]
client_secret_hashes = ["${hashed(SECRET)}"]
redirect_uris = ["${address}/callback"]
post_logout_redirect_uris = ["${address}/"]
`)
  await broker.start()
  const env = { ISSUER: at.issuer, CLIENT_ID: 'rust-app', CLIENT_SECRET: SECRET, APP_URL: address, LISTEN: `127.0.0.1:${port}` }
  app = await startProcess('the Rust app', program, [], { url: address, env })
})

after(async () => {
  await app?.stop()
  await broker?.stop()
  await idp?.close()
})

const claimsOn = (page) => JSON.parse(page.root.querySelector('pre').structuredText)

test('the Rust program signs in, shows all claims, refreshes and signs out everywhere', async () => {
  const browser = new Browser()
  const start = await browser.open(address)
  assert.equal(start.has('pre'), false, `${start}`)
  const form = await start.click('Sign in')
  assert.ok(form.has('input[name=login]'), `${form}`)
  let page = await form.click('Log in', { login: 'alice' })
  assert.equal(page.url.href, `${address}/`, `${page}\n${broker.log}`)
  const claims = claimsOn(page)
  assert.deepEqual(person(claims), ALICE)
  assert.deepEqual([claims.iss, claims.aud], [broker.issuer, 'rust-app'])

  page = await page.click('Refresh')
  assert.equal(page.url.href, `${address}/`, `${page}`)
  assert.deepEqual([claimsOn(page).sub, person(claimsOn(page))], [claims.sub, ALICE])

  const confirm = await page.click('Sign out')
  assert.equal(confirm.url.origin, idp.issuer, `${confirm}`)
  const bye = await confirm.click('Log out')
  assert.equal(bye.url.href, `${address}/`)
  assert.equal(bye.has('pre'), false, `${bye}`)
  const again = await bye.click('Sign in')
  assert.ok(again.has('input[name=login]'), `everybody asks again: ${again}`)
})

test('the Rust program refuses a response that its browser did not ask for', async () => {
  const [honest, other] = [new Browser([`${address}/callback`]), new Browser()]
  const form = await honest.open(`${address}/sign-in`)
  const arrived = await form.click('Log in', { login: 'bob' })
  assert.ok(arrived.left, `${arrived}`)
  const planted = await other.open(arrived.url)
  assert.equal(planted.status, 400)
  assert.match(planted.text, /no sign-in is in progress/)
  await other.open(`${address}/sign-in`)
  const mixed = await other.open(arrived.url)
  assert.equal(mixed.status, 400)
  assert.match(mixed.text, /belongs to another sign-in/)
})
