// Keycloak as the identity provider, set up as examples/upstreams/keycloak.toml says: the broker runs with the file itself and an
// overlay of this machine's addresses and secrets, and the realm below is set up as its comments say. A second broker bridges that
// realm and another one; a third is the provider of a realm, as examples/apps/keycloak-behind.toml says.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { App, decodeJwt, person as personIn, refusal } from './support/app.mjs'
import { Broker, place } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { example, hashed, overlay } from './support/example.mjs'
import { person, startKeycloak } from './support/keycloak.mjs'
import { until } from './support/until.mjs'
import { APPS, bye, callback } from './support/world.mjs'

const ALICE = { groups: ['sre', 'wiki'], roles: ['auditor'] }

let keycloak, broker, issuer, bridge, front

/** A client, with the addresses that the example tells its reader to register for the provider `id` of the broker at `sso`. */
function client(clientId, sso, { id = 'keycloak', secret = 'keycloak-secret', path = false } = {}) {
  const said = (label) => new RegExp(`${label}: (\\S+)keycloak`).exec(example('upstreams/keycloak'))[1].replace('https://sso.example.com', sso) + id
  return {
    clientId,
    secret,
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
      config: { 'claim.name': 'groups', 'full.path': `${path}`, 'id.token.claim': 'true', 'userinfo.token.claim': 'true', 'access.token.claim': 'false' },
    }],
  }
}

function staff(sso, bridgeSso, frontSso) {
  return {
    realm: 'staff',
    enabled: true,
    sslRequired: 'none',
    roles: { realm: [{ name: 'auditor' }], client: { countersign: [{ name: 'editor' }] } },
    groups: [{ name: 'sre' }, { name: 'wiki' }, { name: 'admins' }],
    users: [
      person('alice', { groups: ['/sre', '/wiki'], realmRoles: ['auditor'], clientRoles: { countersign: ['editor'] } }),
      person('bob'),
      person('eva', { groups: ['/admins'] }),
    ],
    clients: [client('countersign', sso), client('bridge', bridgeSso, { id: 'staff' }), client('front', frontSso, { id: 'corp' })],
  }
}

/** A realm with groups inside of groups, a role that a group has, and a role that contains another. */
function partners(sso) {
  return {
    realm: 'partners',
    enabled: true,
    sslRequired: 'none',
    roles: { realm: [{ name: 'supplier' }, { name: 'reader' }, { name: 'keeper', composite: true, composites: { realm: ['reader'] } }] },
    groups: [{ name: 'vendors', realmRoles: ['supplier'], subGroups: [{ name: 'north', subGroups: [{ name: 'sales' }] }] }],
    users: [
      person('carol', { groups: ['/vendors/north/sales'], realmRoles: ['keeper'] }),
      person('dan', { groups: ['/vendors'] }),
      // Another person than alice of the staff.
      person('alice'),
    ],
    clients: [client('bridge', sso, { id: 'partners', secret: 'partners-secret', path: true })],
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

/** A realm of apps, with one app. */
const apps = () => ({
  realm: 'apps',
  enabled: true,
  sslRequired: 'none',
  roles: { realm: [{ name: 'admin' }] },
  clients: [{ clientId: 'web', secret: 'web-secret', publicClient: false, standardFlowEnabled: true, redirectUris: [callback('web')] }],
})

/** The broker as the realm's provider, with the settings of the example. */
async function behind() {
  const { admin } = keycloak.realm('apps')
  const said = example('apps/keycloak-behind')
  const found = await admin('/identity-provider/import-config', {
    method: 'POST', body: { providerId: 'oidc', fromUrl: /Discovery endpoint: (\S+)/.exec(said)[1].replace('https://sso.example.com', front.issuer) },
  })
  const config = {
    ...found, clientId: 'keycloak', clientSecret: 'behind-secret', clientAuthMethod: 'client_secret_basic', pkceEnabled: 'true', pkceMethod: 'S256',
    defaultScope: /Scopes: ([^;]+);/.exec(said)[1], syncMode: 'FORCE',
  }
  await admin('/identity-provider/instances', { method: 'POST', body: { alias: 'countersign', providerId: 'oidc', enabled: true, trustEmail: true, config } })
  await admin('/identity-provider/instances/countersign/mappers', {
    method: 'POST',
    body: {
      name: 'admins', identityProviderAlias: 'countersign', identityProviderMapper: 'oidc-role-idp-mapper',
      config: { syncMode: 'FORCE', claim: 'groups', 'claim.value': 'admins', role: 'admin' },
    },
  })
}

const fronting = (at) => overlay(at, `
[providers.corp]
issuer = "${keycloak.issuer}"
client_id = "front"
client_secret = { file = "front-secret" }
[clients.keycloak]
client_secret_hashes = ["${hashed('behind-secret')}"]
redirect_uris = ["${keycloak.realm('apps').issuer}/broker/countersign/endpoint"]
post_logout_redirect_uris = ["${keycloak.realm('apps').issuer}/broker/countersign/endpoint/logout_response"]
backchannel_logout_uri = "${keycloak.realm('apps').issuer}/protocol/openid-connect/logout/backchannel-logout"
`)

const bridging = (at) => overlay(at, `
${['staff', 'partners'].map((name) => `
[providers.${name}]
preset = "keycloak"
name = "The ${name}"
issuer = "${keycloak.realm(name).issuer}"
client_id = "bridge"
client_secret = { file = "${name}-secret" }
on_refresh = { claims = "upstream", max_age = "0s" }
`).join('')}
[providers.partners.claims]
groups = "claims.groups.map(path, path.after('/'))"
roles = "claims.realm_access.roles"
[roles.supplier]
[roles.keeper]
[roles.reader]

[clients.app]
client_secret_hashes = ["${hashed('app-secret')}"]
redirect_uris = ["${callback('app')}"]
scopes = ["openid", "profile", "email", "groups", "roles"]
`)

before(async () => {
  const [at, bridgeAt, frontAt] = [await place(), await place(), await place()]
  issuer = at.issuer
  keycloak = await startKeycloak(staff(issuer, bridgeAt.issuer, frontAt.issuer), partners(bridgeAt.issuer), apps())
  bridge = new Broker(bridgeAt, bridging(bridgeAt), { 'staff-secret': 'keycloak-secret', 'partners-secret': 'partners-secret' })
  broker = new Broker(at, example('upstreams/keycloak'), { 'here.overlay.toml': here(at), 'keycloak-secret': 'keycloak-secret\n' })
  front = new Broker(frontAt, example('apps/keycloak-behind'), { 'here.overlay.toml': fronting(frontAt), 'front-secret': 'keycloak-secret' })
  await Promise.all([broker.start(), bridge.start(), front.start()])
  await behind()
}, { timeout: 240_000 })

after(async () => {
  await Promise.all([broker?.stop(), bridge?.stop(), front?.stop()])
  await keycloak?.close()
})

const startApp = (at = issuer) => App.at(at, { id: 'app', secret: 'app-secret', redirectUri: callback('app'), scope: 'openid profile email groups roles' })
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

async function userId(username, at = keycloak) {
  const [user] = await at.admin(`/users?exact=true&username=${username}`)
  return user.id
}

const shown = ({ claims: { preferred_username: name, groups = [], roles = [] } }) => ({ name, groups, roles: [...roles].sort() })

/** Signs somebody in through the bridge, by a realm. */
async function across(provider, login) {
  const app = await startApp(bridge.issuer)
  return { app, ...await app.signIn(new Browser([APPS]), { login, provider: `The ${provider}` }) }
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

test('two realms: groups by their path, roles that a group has or another role contains', async () => {
  const carol = shown(await across('partners', 'carol'))
  assert.deepEqual(carol, { name: 'carol', groups: ['vendors/north/sales'], roles: ['keeper', 'reader', 'supplier'] })
  assert.deepEqual(shown(await across('partners', 'dan')), { name: 'dan', groups: ['vendors'], roles: ['supplier'] })
  assert.deepEqual(shown(await across('staff', 'bob')), { name: 'bob', groups: [], roles: [] })
})

test('the same name and address in the other realm is another person', async () => {
  await across('staff', 'alice')
  const choice = await new Browser([APPS]).open((await (await startApp(bridge.issuer)).begin()).url)
  const form = await choice.click('The partners')
  const refused = await form.click('Sign In', { username: 'alice', password: 'alice' })
  assert.deepEqual([refused.url.origin, refused.status], [bridge.issuer, 403], `${refused}`)
  assert.match(refused.text, /username_taken/)
})

test('somebody disabled in one realm is out, the people of the other realm stay', async () => {
  const [carol, bob] = [await across('partners', 'carol'), await across('staff', 'bob')]
  const realm = keycloak.realm('partners')
  const path = `/users/${await userId('carol', realm)}`
  await realm.admin(path, { method: 'PUT', body: { enabled: false } })
  try {
    assert.equal(await refusal(carol.app.refresh(carol.tokens.refresh_token)), 'invalid_grant')
    assert.equal((await bob.app.refresh(bob.tokens.refresh_token)).claims().sub, bob.claims.sub)
  } finally {
    await realm.admin(path, { method: 'PUT', body: { enabled: true } })
  }
})

test('a secret that Keycloak has changed: sessions go on, the operator is told, and the new one is read', async () => {
  const dan = await across('partners', 'dan')
  const realm = keycloak.realm('partners')
  const [{ id }] = await realm.admin('/clients?clientId=bridge')
  const { value } = await realm.admin(`/clients/${id}/client-secret`, { method: 'POST' })

  const again = await dan.app.refresh(dan.tokens.refresh_token)
  assert.equal(again.claims().sub, dan.claims.sub)
  const app = await startApp(bridge.issuer)
  const form = await (await new Browser([APPS]).open((await app.begin()).url)).click('The partners')
  const refused = await form.click('Sign In', { username: 'carol', password: 'carol' })
  assert.equal(refused.url.searchParams.get('error'), 'server_error', `${refused}`)
  assert.match(bridge.log, /"provider":"partners".*copy the secret from the tab Credentials again/)
  assert.match(await (await fetch(`${bridge.admin}/status`)).text(), /it refuses our credentials/)
  assert.equal((await across('staff', 'bob')).claims.preferred_username, 'bob')

  writeFileSync(join(bridge.folder, 'partners-secret'), value)
  await until('the broker has read the secret', () => bridge.log.includes('"event":"reload"'))
  assert.equal((await across('partners', 'carol')).claims.preferred_username, 'carol')
  assert.equal((await dan.app.refresh(again.refresh_token)).claims().sub, dan.claims.sub)
})

test('a signing key that Keycloak has changed is found', async () => {
  const realm = keycloak.realm('partners')
  const { id: parentId } = await realm.admin('')
  const config = { priority: ['1000'], enabled: ['true'], active: ['true'], algorithm: ['RS256'] }
  await realm.admin('/components', { method: 'POST', body: { name: 'newer', providerId: 'rsa-generated', providerType: 'org.keycloak.keys.KeyProvider', parentId, config } })
  assert.equal((await across('partners', 'dan')).claims.preferred_username, 'dan')
})

test('Keycloak behind the broker: a role by a group, and a sign-out at the broker ends the session there', async () => {
  const realm = keycloak.realm('apps')
  const app = await App.at(realm.issuer, { id: 'web', secret: 'web-secret', redirectUri: callback('web'), scope: 'openid profile email' })
  const signIn = async () => {
    const browser = new Browser([APPS])
    const { tokens, claims } = await app.signIn(browser, { login: 'eva' }, { kc_idp_hint: 'countersign' })
    assert.deepEqual([claims.preferred_username, claims.email, claims.name], ['eva', 'eva@corp.example', 'Eva Example'])
    return { browser, tokens, admin: decodeJwt(tokens.access_token).realm_access.roles.includes('admin') }
  }
  const { browser, tokens, admin } = await signIn()
  assert.equal(admin, true)

  const confirm = await browser.open(`${front.issuer}/oauth2/logout`)
  assert.match((await confirm.click('Sign out')).text, /signed out/)
  await until('the session at Keycloak ends', async () => await refusal(app.refresh(tokens.refresh_token)) === 'invalid_grant')

  const [group] = await keycloak.admin('/groups?search=admins')
  await keycloak.admin(`/users/${await userId('eva')}/groups/${group.id}`, { method: 'DELETE' })
  assert.equal((await signIn()).admin, false, 'the next sign-in takes the group over')
})
