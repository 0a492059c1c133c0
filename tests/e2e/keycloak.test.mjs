// Keycloak as the identity provider, set up as examples/upstreams/keycloak.toml says: the broker runs with the file itself and an
// overlay of this machine's addresses and secrets, and the realm below is set up as its comments say.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { App, person as personIn, refusal } from './support/app.mjs'
import { Broker, place } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { example, hashed, overlay } from './support/example.mjs'
import { person, startKeycloak } from './support/keycloak.mjs'
import { until } from './support/until.mjs'
import { APPS, bye, callback } from './support/world.mjs'

const ALICE = { groups: ['sre', 'wiki'], roles: ['auditor'] }

let keycloak, broker, issuer

/** The realm, with the addresses that the example tells its reader to register. */
function realm(sso) {
  const said = (label) => new RegExp(`${label}: (\\S+)`).exec(example('upstreams/keycloak'))[1].replace('https://sso.example.com', sso)
  return {
    realm: 'staff',
    enabled: true,
    sslRequired: 'none',
    roles: { realm: [{ name: 'auditor' }], client: { countersign: [{ name: 'editor' }] } },
    groups: [{ name: 'sre' }, { name: 'wiki' }],
    users: [
      person('alice', { groups: ['/sre', '/wiki'], realmRoles: ['auditor'], clientRoles: { countersign: ['editor'] } }),
      person('bob'),
    ],
    clients: [{
      clientId: 'countersign',
      secret: 'keycloak-secret',
      publicClient: false,
      standardFlowEnabled: true,
      directAccessGrantsEnabled: false,
      redirectUris: [said('Valid redirect URIs')],
      attributes: {
        'post.logout.redirect.uris': said('Valid post logout redirect URIs'),
        'backchannel.logout.url': said('Backchannel logout URL'),
        'backchannel.logout.session.required': 'true',
      },
      protocolMappers: [{
        name: 'groups',
        protocol: 'openid-connect',
        protocolMapper: 'oidc-group-membership-mapper',
        config: { 'claim.name': 'groups', 'full.path': 'false', 'id.token.claim': 'true', 'userinfo.token.claim': 'true', 'access.token.claim': 'false' },
      }],
    }],
  }
}

const here = (at) => overlay(at, `
[providers.keycloak]
issuer = "${keycloak.issuer}"
backchannel_url = "http://localhost:${keycloak.port}/realms/staff"
client_secret = { file = "keycloak-secret" }
on_refresh = { claims = "upstream", max_age = "0s" }
[providers.keycloak.claims]
client_roles = "claims.resource_access.countersign.roles"

[clients.app]
client_secret_hashes = ["${hashed('app-secret')}"]
redirect_uris = ["${callback('app')}"]
post_logout_redirect_uris = ["${bye('app')}"]
scopes = ["openid", "profile", "email", "groups", "roles"]
[clients.app.claims]
client_roles = "user.client_roles"
`)

before(async () => {
  const at = await place()
  issuer = at.issuer
  keycloak = await startKeycloak(realm(issuer))
  broker = new Broker(at, example('upstreams/keycloak'), { 'here.overlay.toml': here(at), 'keycloak-secret': 'keycloak-secret\n' })
  await broker.start()
}, { timeout: 240_000 })

after(async () => {
  await broker?.stop()
  await keycloak?.close()
})

const startApp = () => App.at(issuer, { id: 'app', secret: 'app-secret', redirectUri: callback('app'), scope: 'openid profile email groups roles' })
const atKeycloak = (page) => page.url.href.startsWith(keycloak.issuer) && page.has('#kc-form-login')

/** Signs alice in, in a browser of her own. */
async function signedIn() {
  const [app, browser] = [await startApp(), new Browser([APPS])]
  return { app, browser, ...await app.signIn(browser, { login: 'alice' }) }
}

async function silent(app, browser) {
  const page = await browser.open((await app.begin({ prompt: 'none' })).url)
  assert.ok(page.left, `${page}`)
  return page.url.searchParams.get('error') ?? 'signed in'
}

async function userId(username) {
  const [user] = await keycloak.admin(`/users?exact=true&username=${username}`)
  return user.id
}

test('Keycloak 26 signs in: groups of the ID token, realm and client roles of the access token', async () => {
  const { app, tokens, claims } = await signedIn()
  const expected = {
    preferred_username: 'alice', name: 'Alice Example', given_name: 'Alice', family_name: 'Example',
    email: 'alice@corp.example', email_verified: true, roles: ALICE.roles, client_roles: ['editor'],
  }
  const { groups, ...rest } = personIn(claims)
  assert.deepEqual(rest, expected)
  assert.deepEqual([...groups].sort(), ALICE.groups)
  assert.equal((await app.userinfo(tokens)).sub, claims.sub)

  const bob = await app.signIn(new Browser([APPS]), { login: 'bob' })
  assert.deepEqual([bob.claims.preferred_username, bob.claims.roles ?? [], bob.claims.groups ?? [], bob.claims.client_roles], ['bob', [], [], undefined])
})

test('single sign-on at Keycloak, and login_hint', async () => {
  const app = await startApp()
  const page = await new Browser([APPS]).open((await app.begin({ login_hint: 'alice@corp.example' })).url)
  assert.ok(atKeycloak(page), `${page}`)
  assert.equal(page.root.querySelector('input[name=username]').getAttribute('value'), 'alice@corp.example')
})

test('prompt=login and max_age reach Keycloak, select_account does not', async () => {
  const { app, browser, claims } = await signedIn()
  assert.ok((await browser.open((await app.begin()).url)).left, 'no form without a reason')

  for (const extra of [{ prompt: 'login' }, { max_age: '0' }]) {
    const { url, checks } = await app.begin(extra)
    const form = await browser.open(url)
    assert.ok(atKeycloak(form), `${JSON.stringify(extra)}: ${form}`)
    const page = await browser.signIn(form, { login: 'alice' })
    const again = (await app.finish(page.url, checks)).claims()
    assert.equal(again.sub, claims.sub)
    assert.ok(again.auth_time >= claims.auth_time)
  }
  const relaxed = await app.signIn(browser, {}, { max_age: '3600' })
  assert.equal(relaxed.claims.sub, claims.sub)

  await app.signIn(new Browser([APPS]), { login: 'alice' }, { prompt: 'select_account' })
})

test('a refresh asks Keycloak: groups follow, somebody disabled there is out', async () => {
  const { app, tokens } = await signedIn()
  const id = await userId('alice')
  const [wiki] = await keycloak.admin('/groups?search=wiki')
  let refreshed
  await keycloak.admin(`/users/${id}/groups/${wiki.id}`, { method: 'DELETE' })
  try {
    refreshed = await app.refresh(tokens.refresh_token)
    assert.deepEqual(refreshed.claims().groups, ['sre'])
    assert.deepEqual(refreshed.claims().roles, ALICE.roles)
  } finally {
    await keycloak.admin(`/users/${id}/groups/${wiki.id}`, { method: 'PUT' })
  }
  await keycloak.admin(`/users/${id}`, { method: 'PUT', body: { enabled: false } })
  try {
    assert.equal(await refusal(app.refresh(refreshed.refresh_token)), 'invalid_grant')
  } finally {
    await keycloak.admin(`/users/${id}`, { method: 'PUT', body: { enabled: true } })
  }
})

test('signing out of the app ends the session at Keycloak and comes back', async () => {
  const { app, browser, tokens } = await signedIn()
  const page = await browser.open(app.endSession({ id_token_hint: tokens.id_token, post_logout_redirect_uri: bye('app'), state: 's' }))
  assert.equal(page.url.href, `${bye('app')}?state=s`, `${page}`)
  assert.ok(browser.visited.some((visit) => visit.startsWith(`GET ${keycloak.issuer}/protocol/openid-connect/logout`)))
  assert.equal(await silent(app, browser), 'login_required')
  assert.ok(atKeycloak(await browser.open((await app.begin()).url)), 'Keycloak asks again')
})

test('signing out without an app to return to ends on our page', async () => {
  const { app, browser, tokens } = await signedIn()
  const page = await browser.open(app.endSession({ id_token_hint: tokens.id_token }))
  assert.equal(page.url.origin, issuer, `${page}`)
  assert.equal(page.status, 200)
  assert.match(page.text, /signed out/i)
})

test('signing out at Keycloak ends the session here, by its back channel', async () => {
  const { app, browser, tokens } = await signedIn()
  const confirm = await browser.open(`${keycloak.issuer}/protocol/openid-connect/logout`)
  await confirm.click('Logout')
  await until('the session ends here', async () => await silent(app, browser) === 'login_required')
  assert.equal(await refusal(app.refresh(tokens.refresh_token)), 'invalid_grant')
})

test("an administrator who ends somebody's sessions at Keycloak ends them here", async () => {
  const { app, browser, tokens } = await signedIn()
  await keycloak.admin(`/users/${await userId('alice')}/logout`, { method: 'POST' })
  await until('the session ends here', async () => await silent(app, browser) === 'login_required')
  assert.equal(await refusal(app.refresh(tokens.refresh_token)), 'invalid_grant')
  assert.match(broker.log, /"event":"logout".*"detail":"at the provider"/)
})
