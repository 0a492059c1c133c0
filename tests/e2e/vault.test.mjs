// The OIDC plugin of Vault, which OpenBao has too (apps/vault), set up and signed in to as examples/apps/openbao.toml says.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { join } from 'node:path'

import { place, root } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { exampleBroker, hashed, recipe } from './support/example.mjs'
import { broker as registered, startIdp } from './support/idp.mjs'
import { freePort } from './support/net.mjs'
import { startProcess } from './support/process.mjs'
import { people } from './support/world.mjs'

const EXAMPLE = recipe('apps/openbao')
const SECRET = 'openbao secret:+%/ ü'
const program = join(root, 'target/e2e-go/vault')
const accounts = people().corp
Object.assign(accounts.alice, { groups: ['staff', 'sre'] })
Object.assign(accounts.bob, { groups: ['guests'] })

let idp, broker, vault, address, port

before(async () => {
  const at = await place()
  port = await freePort()
  idp = await startIdp({ name: 'corp', accounts, brokers: [registered(at.issuer, 'corp')] })
  broker = exampleBroker('apps/openbao', at, idp.issuer, `
[clients.openbao]
client_secret_hashes = ["${hashed(SECRET)}"]
redirect_uris = ["http://localhost:${port}/oidc/callback"]
`)
  await broker.start()
  const listen = `127.0.0.1:${await freePort()}`
  address = `http://${listen}`
  vault = await startProcess("Vault's plugin", program, ['server', listen], { url: address })

  // The two commands of the example that write.
  const settings = EXAMPLE.replaceAll('https://sso.example.com', at.issuer).replaceAll('localhost:8250', `localhost:${port}`)
    .replace('@/run/secrets/openbao', encodeURIComponent(SECRET))
  const [, config] = /bao write auth\/oidc\/config ((?:.*\\\n)*.*)/.exec(settings)
  await write('config', Object.fromEntries([...config.matchAll(/(\w+)=(\S+)/g)].map(([, name, value]) => [name, decodeURIComponent(value)])))
  const [, name, role] = /bao write auth\/oidc\/role\/(\w+) - <<EOF\n([^]*?)EOF/.exec(settings)
  await write(`role/${name}`, JSON.parse(role))
})

after(async () => {
  await vault?.stop()
  await broker?.stop()
  await idp?.close()
})

async function write(path, body) {
  const response = await fetch(`${address}/v1/auth/oidc/${path}`, { method: 'PUT', body: JSON.stringify(body) })
  assert.ok(response.ok, `${path}: ${response.status} ${await response.text()}`)
}

/** `vault login -method=oidc`, whose address a person opens in a browser: what it printed, its exit code and the last page. */
async function login(person) {
  const child = spawn(program, ['login', address, 'skip_browser=true', `port=${port}`], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [printed, exit] = [text(child.stdout), new Promise((done) => { child.once('exit', done) })]
  let log = ''
  const link = new Promise((found) => {
    child.stderr.on('data', (chunk) => {
      log += chunk
      const [, url] = /^ {4}(http\S+)\n[^]*Waiting for/m.exec(log) ?? []
      if (url) found(url)
    })
  })
  const url = await Promise.race([link, exit.then((code) => { throw new Error(`vault login ended with ${code}\n${log}`) })])
  try {
    let page = await new Browser().open(url)
    assert.ok(page.has('input[name=login]'), `${page}\n${broker.log}`)
    page = await page.click('Log in', { login: person })
    return { url: new URL(url), page, printed: await printed, code: await exit, log }
  } finally {
    child.kill()
  }
}

test('vault login: policies, name, address and groups of the person', async () => {
  const { url, page, printed, code, log } = await login('alice')
  assert.equal(code, 0, `${page}\n${log}\n${vault.log()}`)
  assert.equal(url.searchParams.get('code_challenge_method'), 'S256', 'the plugin sends PKCE by itself')
  const { alias, ...told } = JSON.parse(printed)
  assert.match(alias, /^[\w-]{22}$/, "the broker's subject")
  assert.deepEqual(told, {
    groups: ['staff', 'sre'], policies: ['default'], metadata: { role: 'user', email: 'alice@corp.example', name: 'alice' },
  })
})

test('who is not in the bound group is refused by Vault', async () => {
  const { code, log, page } = await login('bob')
  assert.equal(code, 1, log)
  assert.match(log, /error validating claims: claim "groups" does not match any associated bound claim values/)
  assert.match(page.text, /claim "groups" does not match/)
})
