// Synapse (Matrix), set up as examples/apps/synapse.toml says.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { folder, place, root } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { exampleBroker, hashed, recipe } from './support/example.mjs'
import { broker as registered, startIdp } from './support/idp.mjs'
import { freePort } from './support/net.mjs'
import { startProcess } from './support/process.mjs'
import { until } from './support/until.mjs'
import { APPS, people } from './support/world.mjs'

const accounts = people().corp
accounts.alice.groups = ['staff']
accounts.bob.groups = ['guests']

let idp, broker, synapse, address

/** A server with the provider of the example. Over plain HTTP, Synapse wants to be told not to check the metadata for https. */
const homeserver = (at, secrets, port) => `
server_name: matrix.test
public_baseurl: ${address}/
listeners: [{ port: ${port}, bind_addresses: ["127.0.0.1"], type: http, resources: [{ names: [client] }] }]
database: { name: sqlite3, args: { database: homeserver.db } }
signing_key_path: signing.key
media_store_path: media
report_stats: false
trusted_key_servers: []
macaroon_secret_key: a-macaroon-key
form_secret: a-form-secret
sso: { client_whitelist: ["${APPS}"] }
${recipe('apps/synapse').replaceAll('https://sso.example.com', at.issuer).replaceAll('/run/secrets', secrets).replace('  client_id:', '  skip_verification: true\n  client_id:')}
`

before(async () => {
  const at = await place()
  const port = await freePort()
  address = `http://127.0.0.1:${port}`
  idp = await startIdp({ name: 'corp', accounts, brokers: [registered(at.issuer, 'corp')] })
  broker = exampleBroker('apps/synapse', at, idp.issuer, `
[clients.synapse]
client_secret_hashes = ["${hashed('synapse-secret')}"]
redirect_uris = ["${address}/_synapse/client/oidc/callback"]
backchannel_logout_uri = "${address}/_synapse/client/oidc/backchannel_logout"
`)
  await broker.start()
  const key = `ed25519 a_test ${randomBytes(32).toString('base64').replace(/=+$/, '')}\n`
  const cwd = folder({ 'signing.key': key, 'secrets/synapse': 'synapse-secret' })
  const file = join(folder({ 'homeserver.yaml': homeserver(at, join(cwd, 'secrets'), port) }), 'homeserver.yaml')
  const python = join(root, 'target/e2e-synapse/bin/python')
  synapse = await startProcess('Synapse', python, ['-m', 'synapse.app.homeserver', '-c', file], {
    url: `${address}/_matrix/client/versions`, cwd, within: 90_000,
  })
}, { timeout: 120_000 })

after(async () => {
  await synapse?.stop()
  await broker?.stop()
  await idp?.close()
})

const matrix = async (path, { token, body } = {}) => {
  const headers = { ...(token ? { authorization: `Bearer ${token}` } : {}), 'content-type': 'application/json' }
  const response = await fetch(`${address}/_matrix/client/v3${path}`, { method: body ? 'POST' : 'GET', headers, body: body && JSON.stringify(body) })
  return { status: response.status, ...await response.json() }
}

async function arrive(login) {
  const browser = new Browser([APPS])
  const form = await browser.open(`${address}/_matrix/client/v3/login/sso/redirect/oidc-countersign?${new URLSearchParams({ redirectUrl: APPS })}`)
  assert.ok(form.has('input[name=login]'), `${form}\n${synapse.log().slice(-3000)}`)
  return { browser, page: await form.click('Log in', { login }) }
}

async function signedIn(login) {
  const { browser, page } = await arrive(login)
  assert.ok(page.left, `${page}\n${synapse.log().slice(-3000)}`)
  const session = await matrix('/login', { body: { type: 'm.login.token', token: page.url.searchParams.get('loginToken') } })
  return { browser, session }
}

test('Synapse signs in: the Matrix id, the name and the address are those of the claims', async () => {
  const { session } = await signedIn('alice')
  assert.equal(session.user_id, '@alice:matrix.test', JSON.stringify(session))
  const token = session.access_token
  assert.equal((await matrix('/profile/@alice:matrix.test/displayname', { token })).displayname, 'Alice Example')
  const { threepids } = await matrix('/account/3pid', { token })
  assert.deepEqual(threepids.map(({ medium, address: email }) => [medium, email]), [['email', 'alice@corp.example']])
})

test('somebody without the group is refused by Synapse', async () => {
  const { page } = await arrive('bob')
  assert.equal(page.url.origin, address, `${page}`)
  assert.match(page.text, /You are not allowed to log in here/)
})

test('a sign-out at the broker ends the Matrix session by the back channel', async () => {
  const { browser, session } = await signedIn('alice')
  assert.equal((await matrix('/account/whoami', { token: session.access_token })).status, 200)
  const confirm = await browser.open(`${broker.issuer}/oauth2/logout`)
  await (await confirm.click('Sign out')).click('Log out')
  await until('the session ends', async () => (await matrix('/account/whoami', { token: session.access_token })).status === 401)
})
