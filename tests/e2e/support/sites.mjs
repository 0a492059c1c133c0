// The environment of the browser tests: app, broker and two IdPs on four sites, each behind TLS.
import https from 'node:https'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { text } from 'node:stream/consumers'

import { App, client } from './app.mjs'
import { Broker, place } from './broker.mjs'
import { broker as brokerClient, startIdp } from './idp.mjs'
import { certificate, close, freePort, listen, tlsFront } from './net.mjs'
import { people } from './world.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const library = readFileSync(join(dirname(createRequire(import.meta.url).resolve('oidc-client-ts')), '../browser/oidc-client-ts.min.js'))
const single = readFileSync(join(here, '../apps/spa.js'))

const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 220 60" width="220" height="60">
<path d="M30 6l10 18 18 6-18 6-10 18-10-18-18-6 18-6z" fill="#1d2a6b"/>
<text x="70" y="40" font-family="DejaVu Sans, sans-serif" font-size="26" font-weight="bold" fill="#1d2a6b">Nordwind</text></svg>`

const FILES = {
  '/logo.svg': ['image/svg+xml', logo],
  '/oidc-client-ts.js': ['text/javascript', library],
  '/spa.js': ['text/javascript', single],
}

function html(title, body) {
  return `<!doctype html><html lang="en"><title>${title}</title><link rel="icon" href="data:,"><h1>${title}</h1>${body}</html>`
}

/** Starts four sites; `more` is TOML to append, given their addresses, `files` are beside the broker's. */
export async function startSites(more = () => '', files = {}) {
  const at = await place()
  const ports = { sso: await freePort(), app: await freePort(), corp: await freePort(), partner: await freePort() }
  const url = (host, port) => `https://${host}.test:${port}`
  const [sso, app, corpUrl, partnerUrl] = [url('sso', ports.sso), url('app', ports.app), url('corp', ports.corp), url('partner', ports.partner)]
  const tls = certificate(['*.test', 'sso.test', 'app.test', 'corp.test', 'partner.test'])
  const accounts = people()
  const corp = await startIdp({ name: 'corp', accounts: accounts.corp, brokers: [brokerClient(sso, 'corp')], publicUrl: corpUrl })
  const partner = await startIdp({
    name: 'partner', accounts: accounts.partner, claimsIn: 'userinfo', brokers: [brokerClient(sso, 'partner')], publicUrl: partnerUrl,
  })
  const fronts = [
    await tlsFront(tls, ports.sso, at.port), await tlsFront(tls, ports.corp, corp.port), await tlsFront(tls, ports.partner, partner.port),
  ]
  const back = `http://127.0.0.1:${at.port}`
  const toml = `issuer = "${sso}"
[server]
listen = ["127.0.0.1:${at.port}"]
trusted_proxies = ["127.0.0.1/32"]
[admin]
listen = "127.0.0.1:${at.adminPort}"

[providers.corp]
name = "Corporate account"
issuer = "${corpUrl}"
backchannel_url = "http://127.0.0.1:${corp.port}"
client_id = "countersign"
client_secret = { file = "corp-secret" }
asserted_roles = []

[providers.partner]
name = "Partner account"
issuer = "${partnerUrl}"
backchannel_url = "http://127.0.0.1:${partner.port}"
client_id = "countersign"
client_secret = { file = "partner-secret" }
asserted_roles = []

[clients.web]
client_name = "Wiki 百科"
client_secret = { file = "web-secret" }
redirect_uris = ["${app}/callback"]
post_logout_redirect_uris = ["${app}/bye"]

[clients.team]
client_name = "Team calendar"
client_secret = { file = "web-secret" }
redirect_uris = ["${app}/callback"]
post_logout_redirect_uris = ["${app}/bye"]
frontchannel_logout_uri = "${app}/out?from=broker"

[clients.asks]
client_name = "Holiday planner"
client_secret = { file = "web-secret" }
redirect_uris = ["${app}/callback"]
consent = "explicit"

[clients.spa]
client_name = "Single page app"
token_endpoint_auth_method = "none"
redirect_uris = ["${app}/spa"]
post_logout_redirect_uris = ["${app}/spa"]

[clients.vault]
client_name = "Vault"
client_secret = { file = "web-secret" }
redirect_uris = ["${app}/callback"]
require = "'sre' in groups"
${more({ sso, app, corpUrl, partnerUrl })}`
  const broker = new Broker({ ...at, issuer: back }, toml, {
    'corp-secret': 'corp-secret', 'partner-secret': 'partner-secret', 'web-secret': 'web-secret', ...files,
  })

  // A server-side web app with openid-client. Its own requests go directly to the broker, as inside a cluster.
  const begun = new Map()
  /** The requests to the app's front-channel logout page; `answer` decides when they are answered. */
  const out = { seen: [], answer: async () => {} }
  const via = (address, options) => fetch(String(address).replace(sso, back), options)
  const web = (id) => App.at(sso, { id, secret: 'web-secret', redirectUri: `${app}/callback`, fetch: via })
  const server = https.createServer({ key: tls.key, cert: tls.cert }, (request, response) => {
    serve(new URL(request.url, app), request, response).catch((error) => response.writeHead(500, { 'content-type': 'text/html' }).end(html('The app failed', `<pre id="error">${error.stack}</pre>`)))
  })
  async function serve(address, request, response) {
    const show = (title, body) => response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html(title, body))
    const file = FILES[address.pathname]
    if (file) return response.writeHead(200, { 'content-type': file[0] }).end(file[1])
    if (address.pathname === '/spa') {
      return show('Single page app', `<button id="go">Sign in</button><pre id="result" data-authority="${sso}"></pre>
<script src="/oidc-client-ts.js"></script><script src="/spa.js"></script>`)
    }
    if (address.pathname === '/bye') return show('Good bye', '')
    if (address.pathname === '/login') {
      const { id = 'web', ...extra } = Object.fromEntries(address.searchParams)
      const there = await web(id)
      const { url: onward, checks } = await there.begin(extra)
      begun.set(checks.expectedState, { id, there, checks })
      return response.writeHead(303, { location: onward.href }).end()
    }
    if (address.pathname === '/out') {
      out.seen.push(Object.fromEntries(address.searchParams))
      await out.answer()
      return show('Signed out of the app', '')
    }
    if (address.pathname === '/logout') {
      const there = await web(address.searchParams.get('id'))
      return response.writeHead(303, { location: there.endSession({ id_token_hint: address.searchParams.get('hint'), post_logout_redirect_uri: `${app}/bye`, state: 'x' }).href }).end()
    }
    if (address.pathname === '/callback') {
      const posted = request.method === 'POST' ? new URLSearchParams(await text(request)) : undefined
      const fields = posted ?? address.searchParams
      const { id, there, checks } = begun.get(fields.get('state'))
      begun.delete(fields.get('state'))
      if (fields.has('error')) return show('Not signed in', `<pre id="error">${fields.get('error')}</pre>`)
      const returned = posted ? new Request(address, { method: 'POST', body: posted }) : address
      const tokens = await client.authorizationCodeGrant(there.config, returned, checks)
      return show('Signed in', `<pre id="claims">${JSON.stringify(tokens.claims())}</pre><a href="/logout?id=${id}&hint=${tokens.id_token}">Sign out</a>`)
    }
    return response.writeHead(404).end()
  }
  await listen(server, ports.app)

  const stop = async () => {
    await broker.stop()
    await Promise.all([close(server), corp.close(), partner.close(), ...fronts.map((front) => front.close())])
  }
  try {
    await broker.start()
  } catch (error) {
    await stop()
    throw error
  }
  return { sso, app, corp, partner, broker, tls, out, close: stop }
}
