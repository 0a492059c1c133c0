// The example server of zitadel/oidc (Go) as the identity provider, as its module has it: an issuer with a slash at its end,
// ID tokens without the claims of the person, refresh tokens that rotate, a sign-out that knows no way back.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { App, person } from './support/app.mjs'
import { Broker, folder, place, root, run } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { hashed, overlay } from './support/example.mjs'
import { freePort } from './support/net.mjs'
import { startProcess } from './support/process.mjs'
import { until } from './support/until.mjs'
import { APPS, bye, callback } from './support/world.mjs'

const ALICE = {
  ID: 'id-alice', Username: 'alice', Password: 'alice', FirstName: 'Alice', LastName: 'Example', Email: 'alice@corp.example', EmailVerified: true,
  PreferredLanguage: 'de',
}

let broker, idp, issuer

before(async () => {
  const at = await place()
  const port = await freePort()
  issuer = `http://localhost:${port}/`
  const users = join(folder({ 'users.json': JSON.stringify({ 'id-alice': ALICE }) }), 'users.json')
  idp = await startProcess('zitadel/oidc', join(root, 'target/e2e-go/zitadel'), [], {
    url: `${issuer}.well-known/openid-configuration`, env: { PORT: `${port}`, USERS_FILE: users, REDIRECT_URI: `${at.issuer}/callback/zitadel` },
  })
  broker = new Broker(at, overlay(at, `
[roles.reader]
[[role_rules]]
when = "'web' in groups && user.email == 'alice@corp.example'"
roles = ["reader"]

[providers.zitadel]
name = "Zitadel"
issuer = "${issuer}"
client_id = "web"
client_secret = { file = "secret" }
scopes = ["openid", "profile", "email", "offline_access", "custom_scope"]
on_refresh = { claims = "upstream", max_age = "0s" }
asserted_roles = []
logout = false
[providers.zitadel.claims]
groups = "claims.custom_claim.client"

[clients.app]
client_secret_hashes = ["${hashed('app-secret')}"]
redirect_uris = ["${callback('app')}"]
post_logout_redirect_uris = ["${bye('app')}"]
scopes = ["openid", "profile", "email", "groups", "roles"]
`), { secret: 'secret' })
  await broker.start()
})

after(async () => {
  await broker?.stop()
  await idp?.stop()
})

const app = () => App.at(broker.issuer, { id: 'app', secret: 'app-secret', redirectUri: callback('app'), scope: 'openid profile email groups roles' })
const probe = () => run(['providers', 'probe', 'zitadel', '--config', broker.file], { cwd: broker.folder })

test('zitadel/oidc: probed, signed in, refreshed, signed out', async () => {
  const { code, stdout } = await probe()
  assert.equal(code, 0, stdout)
  // It looks the code up before the client: what it refuses says nothing about the secret.
  assert.match(stdout, /unclear +token .*it refuses a code that does not exist \(invalid_grant\) whatever the secret/)
  assert.match(stdout, /scope custom_scope: the provider's scopes_supported does not have it/)

  const [one, browser] = [await app(), new Browser([APPS])]
  const { claims, tokens } = await one.signIn(browser, { login: 'alice' })
  const expected = {
    preferred_username: 'alice', name: 'Alice Example', given_name: 'Alice', family_name: 'Example', locale: 'de',
    email: 'alice@corp.example', email_verified: true, groups: ['web'], roles: ['reader'],
  }
  assert.deepEqual(person(claims), expected)

  // Each refresh uses up the provider's refresh token too.
  const asked = () => idp.log().split('path=/oauth/token').length
  let [token, before] = [tokens.refresh_token, asked()]
  for (let round = 0; round < 2; round += 1) {
    const again = await one.refresh(token)
    assert.deepEqual(person(again.claims()), expected)
    assert.ok(asked() > before, 'the provider was asked')
    ;[token, before] = [again.refresh_token, asked()]
  }

  const page = await browser.open(one.endSession({ id_token_hint: tokens.id_token, post_logout_redirect_uri: bye('app') }))
  assert.equal(page.url.href, bye('app'), `${page}`)
})

test('a wrong secret is told to the operator, and the person comes back to the app', async () => {
  writeFileSync(join(broker.folder, 'secret'), 'wrong')
  await until('the broker has read the secret', () => broker.log.includes('"event":"reload"'))
  const form = await new Browser([APPS]).open((await (await app()).begin()).url)
  const page = await form.submit({ username: 'alice', password: 'alice' })
  assert.equal(page.url.searchParams.get('error'), 'server_error', `${page}`)
  assert.match(page.url.searchParams.get('error_description'), /provider_error, trace \w+/)
  assert.match(broker.log, /"event":"upstream_failure".*token endpoint: error \\"invalid_client\\" .*: check client_id, the secret/)
  assert.match(await (await fetch(`${broker.admin}/status`)).text(), /it refuses our credentials/)
})
