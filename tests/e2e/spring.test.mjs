// Spring on both sides: a Spring Boot app with an API (apps/spring, App) as examples/apps/spring.toml says, and Spring
// Authorization Server (Provider) as the identity provider.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { person } from './support/app.mjs'
import { folder, place, root, run } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { exampleBroker, hashed, recipe } from './support/example.mjs'
import { freePort } from './support/net.mjs'
import { startSpring } from './support/spring.mjs'
import { until } from './support/until.mjs'

const ISSUER = 'https://sso.example.com'
const SETTINGS = recipe('apps/spring')

let idp, broker, app

before(async () => {
  const at = await place()
  const [idpPort, appPort] = [await freePort(), await freePort()]
  const [issuer, address] = [`http://127.0.0.1:${idpPort}`, `http://127.0.0.1:${appPort}`]
  idp = startSpring('Provider', idpPort, {
    // All ports of a host share cookies, and the app needs the usual name for its back channel.
    'server.servlet.session.cookie.name': 'PROVIDER', issuer, secret: 'corp-secret', 'redirect-uri': `${at.issuer}/callback/corp`, 'post-logout-redirect-uri': `${at.issuer}/logout/callback/corp`,
  })
  broker = exampleBroker('apps/spring', at, issuer, `
on_refresh = { claims = "upstream", max_age = "0s" }
[roles.auditor]

[clients.spring]
client_secret_hashes = ["${hashed('spring-secret')}"]
redirect_uris = ["${address}/login/oauth2/code/countersign"]
post_logout_redirect_uris = ["${address}"]
backchannel_logout_uri = "${address}/logout/connect/back-channel/countersign"
# Spring refreshes a token that has less than a minute left.
tokens = { access_token = "1m" }
`)
  await broker.start()
  const yaml = SETTINGS.slice(0, SETTINGS.indexOf('var asks')).replace(ISSUER, at.issuer)
  const file = join(folder({ 'application.yml': yaml }), 'application.yml')
  const started = startSpring('App', appPort, { 'spring.config.location': `file:${file}`, issuer: at.issuer }, { SPRING_SECRET: 'spring-secret' })
  for (const one of await Promise.allSettled([idp, started])) if (one.reason) throw one.reason
  idp = await idp
  app = await started
}, { timeout: 200_000 })

after(async () => {
  await (await app)?.close()
  await broker?.stop()
  await (await idp)?.close()
})

const atProvider = (page) => page.url.href.startsWith(`${idp.address}/login`)
const groups = (login, names) => fetch(`${idp.address}/people/${login}/groups`, {
  method: 'PUT', body: JSON.stringify(names), headers: { 'content-type': 'application/json' },
})

/** Somebody who has signed in to the app, with its first page. */
async function signedIn(login = 'alice') {
  const browser = new Browser()
  const form = await browser.open(`${app.address}/`)
  assert.ok(atProvider(form), `${form}\n${broker.log}`)
  const page = await form.submit({ username: login, password: login })
  assert.equal(page.url.href, `${app.address}/?continue`, `${page}\n${broker.log}`)
  return { browser, shown: JSON.parse(page.body) }
}

test('the app is set up with the lines of the example', () => {
  const source = readFileSync(join(root, 'tests/e2e/apps/spring/src/main/java/example/App.java'), 'utf8').replaceAll(/\s+/g, ' ')
  const lines = SETTINGS.slice(SETTINGS.indexOf('var asks')).replaceAll(`"${ISSUER}"`, 'issuer').split('\n').map((line) => line.trim())
  assert.ok(lines.length >= 11)
  for (const line of lines) assert.ok(source.includes(line), line)
})

const probe = () => run(['providers', 'probe', 'corp', '--config', broker.file, '--overlay', join(broker.folder, 'here.overlay.toml')])

test('Spring signs in through Spring: groups of userinfo, roles of the ID token and of a rule', async () => {
  const { code, stdout } = await probe()
  assert.equal(code, 0, stdout)
  assert.match(stdout, /it accepts our credentials \(client_secret_basic\)/)

  await groups('alice', ['orders', 'sre'])
  const { browser, shown } = await signedIn()
  assert.equal(shown.name, 'alice')
  assert.deepEqual(person(shown.claims), {
    preferred_username: 'alice', name: 'Alice Example', email: 'alice@corp.example', email_verified: true,
    groups: ['orders', 'sre'], roles: ['auditor', 'clerk'],
  })
  assert.equal((await browser.open(`${app.address}/clerks`)).body, 'for clerks')
  const { browser: other } = await signedIn('bob')
  assert.equal((await other.open(`${app.address}/clerks`)).status, 403)
})

test('the API accepts the access token, and a refresh asks the provider', async () => {
  await groups('alice', ['orders', 'sre'])
  const { browser } = await signedIn()
  const api = async () => {
    const token = (await browser.open(`${app.address}/token`)).body
    const response = await fetch(`${app.address}/api/groups`, { headers: { authorization: `Bearer ${token}` } })
    assert.equal(response.status, 200, response.headers.get('www-authenticate'))
    return response.json()
  }
  assert.deepEqual(await api(), ['orders', 'sre'])
  await groups('alice', ['wiki'])
  assert.deepEqual(await api(), ['wiki'])
})

test('a sign-out of the app ends the session at the provider, and comes back', async () => {
  const { browser } = await signedIn()
  const confirm = await browser.open(`${app.address}/logout`)
  const page = await confirm.submit({})
  const at = (prefix) => browser.visited.findLastIndex((visit) => visit.startsWith(`GET ${prefix}`))
  assert.ok(at(`${idp.address}/connect/logout`) > 0 && at(`${app.address}/oauth2/auth`) > at(`${idp.address}/connect/logout`), browser.visited.join('\n'))
  assert.ok(atProvider(page), `everybody asks again: ${page}`)
})

test('a sign-out elsewhere ends the session of the app by the back channel', async () => {
  const { browser } = await signedIn()
  const confirm = await browser.open(`${broker.issuer}/oauth2/logout`)
  assert.match((await confirm.click('Sign out')).text, /signed out/)
  await until('the session ends', async () => atProvider(await browser.open(`${app.address}/`)))
})

test('a wrong secret is told by the probe, the log and the health', async () => {
  writeFileSync(join(broker.folder, 'corp-secret'), 'wrong')
  const { code, stdout } = await probe()
  assert.equal(code, 1, stdout)
  assert.match(stdout, /trouble +token .*it refuses our credentials \(client_secret_basic\)/)
  await until('the broker has read the secret', () => broker.log.includes('"event":"reload"'))
  const form = await new Browser().open(`${app.address}/`)
  const page = await form.submit({ username: 'alice', password: 'alice' })
  assert.equal(page.url.href, `${app.address}/login?error`, `${page}`)
  assert.match(broker.log, /"event":"upstream_failure".*token endpoint: error \\"invalid_client\\": check client_id, the secret/)
  assert.match(await (await fetch(`${broker.admin}/status`)).text(), /it refuses our credentials/)
})
