// The environment of most tests: two IdPs, five apps and a broker between them.
import { Broker, place } from './broker.mjs'
import { broker as brokerClient, startIdp } from './idp.mjs'

/** Addresses of apps. Nobody serves them; a browser that arrives there has reached the app. */
export const APPS = 'http://127.0.0.1:9/'
export const callback = (app) => `${APPS}${app}/callback`
export const bye = (app) => `${APPS}${app}/bye`

/** People at the two IdPs: fresh objects, since tests change them. */
export function people() {
  return {
    corp: {
      alice: {
        sub: 'corp-1', preferred_username: 'alice', name: 'Alice Example', given_name: 'Alice', family_name: 'Example',
        email: 'alice@corp.example', email_verified: true, picture: 'https://corp.example/alice.png', groups: ['grafana-users', 'sre'],
      },
      bob: { sub: 'corp-2', preferred_username: 'bob', name: 'Bob Example', email: 'bob@corp.example', email_verified: false, groups: ['staff'] },
    },
    // The other IdP sends one group as a string, claims in userinfo, and a `sub` that the first IdP uses too.
    partner: {
      dora: { sub: 'corp-1', preferred_username: 'dora', name: 'Dora 例', email: 'dora@partner.example', email_verified: true, groups: 'partners' },
    },
  }
}

/** The claims of alice that the apps receive for `openid profile email groups`. */
export const ALICE = {
  preferred_username: 'alice', name: 'Alice Example', given_name: 'Alice', family_name: 'Example',
  picture: 'https://corp.example/alice.png', email: 'alice@corp.example', email_verified: true, groups: ['grafana-users', 'sre'],
}

export function brokerToml({ port, adminPort, issuer }, { corp, partner }) {
  return `issuer = "${issuer}"

[server]
listen = ["127.0.0.1:${port}"]

[admin]
listen = "127.0.0.1:${adminPort}"

[roles.admin]
permissions = ["users:write"]
[roles.viewer]

[policy]
default_roles = ["viewer"]

[[role_rules]]
when = "'sre' in groups && provider == 'corp'"
roles = ["admin"]

[resources.orders]
uri = "https://api.example.com/orders"
clients = ["grafana"]
introspect = ["orders-api"]

[providers.corp]
name = "Corporate account"
issuer = "${corp.issuer}"
client_id = "countersign"
client_secret = { file = "corp-secret" }
asserted_roles = []

[providers.partner]
name = "Partner account"
issuer = "${partner.issuer}"
client_id = "countersign"
client_secret = { file = "partner-secret" }
asserted_roles = []

# Confidential, HTTP Basic, any provider.
[clients.grafana]
client_name = "Grafana 監控"
client_secret = { file = "grafana-secret" }
token_endpoint_auth_method = "client_secret_basic"
redirect_uris = ["${callback('grafana')}"]
post_logout_redirect_uris = ["${bye('grafana')}"]
scopes = ["openid", "profile", "email", "groups", "roles", "offline_access"]
access_token_claims = ["groups"]
[clients.grafana.claims]
grafana_role = "'admin' in roles ? 'Admin' : 'Viewer'"

# Confidential, secret in the form, one provider and so no sign-in page.
[clients.gitlab]
client_secret = { file = "gitlab-secret" }
token_endpoint_auth_method = "client_secret_post"
redirect_uris = ["${callback('gitlab')}"]
post_logout_redirect_uris = ["${bye('gitlab')}"]
providers = ["corp"]

# Public, native.
[clients.cli]
application_type = "native"
token_endpoint_auth_method = "none"
redirect_uris = ["${callback('cli')}"]
providers = ["corp"]

# Confidential, either method; for a library that sends its secret without encoding it.
[clients.wiki]
client_secret = { file = "wiki-secret" }
redirect_uris = ["${callback('wiki')}"]

# Only for some users.
[clients.vault]
client_secret = { file = "vault-secret" }
redirect_uris = ["${callback('vault')}"]
require = "'sre' in groups"

[clients.orders-api]
client_secret = { file = "orders-secret" }
grant_types = []
`
}

/** The same with the IdP `corp` alone. */
export function withoutPartner(at, corp) {
  return brokerToml(at, { corp, partner: corp }).replace(/\[providers\.partner\][^]*?asserted_roles = \[\]\n/, '')
}

export const SECRETS = {
  'corp-secret': 'corp-secret\n',
  'partner-secret': 'partner-secret',
  // This secret works only if the client form-encodes it before Basic, as RFC 6749 §2.3.1 requires.
  'grafana-secret': 'grafana secret:+%/ ü',
  'gitlab-secret': 'gitlab-secret',
  'wiki-secret': 'wiki-secret',
  'vault-secret': 'vault-secret',
  'orders-secret': 'orders-secret',
}

/** Each app's own settings, for `App.at`. */
export const apps = {
  grafana: { id: 'grafana', secret: SECRETS['grafana-secret'], method: 'client_secret_basic', redirectUri: callback('grafana') },
  gitlab: { id: 'gitlab', secret: SECRETS['gitlab-secret'], method: 'client_secret_post', redirectUri: callback('gitlab') },
  cli: { id: 'cli', method: 'none', redirectUri: callback('cli') },
  wiki: { id: 'wiki', secret: SECRETS['wiki-secret'], redirectUri: callback('wiki') },
  vault: { id: 'vault', secret: SECRETS['vault-secret'], redirectUri: callback('vault') },
  orders: { id: 'orders-api', secret: SECRETS['orders-secret'], redirectUri: callback('orders-api') },
}

/** Starts everything. `close` ends whatever has been started. */
export async function startWorld(toml = brokerToml) {
  const at = await place()
  const accounts = people()
  const corp = await startIdp({ name: 'corp', accounts: accounts.corp, brokers: [brokerClient(at.issuer, 'corp')] })
  const partner = await startIdp({
    name: 'partner', accounts: accounts.partner, claimsIn: 'userinfo', brokers: [brokerClient(at.issuer, 'partner', { require_auth_time: false })],
  })
  const broker = new Broker(at, toml(at, { corp, partner }), SECRETS)
  const close = async () => {
    await broker.stop()
    await Promise.all([corp.close(), partner.close()])
  }
  try {
    await broker.start()
  } catch (error) {
    await close()
    throw error
  }
  return { broker, issuer: at.issuer, corp, partner, close }
}
