// Client certificates behind Debian's nginx: every step is what docs/certificates.md says, with the addresses of this test.
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'

import { Broker, folder, place, root } from './support/broker.mjs'
import { certificate, freePort } from './support/net.mjs'
import { startNginx } from './support/nginx.mjs'

const PAGE = readFileSync(join(root, 'docs/certificates.md'), 'utf8')
const SECRET = 'ci-secret-0123456789_ABCDEF'

/** The code blocks of the page in this language. */
const blocks = (language) => [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))].map(([, text]) => text)

const [authority, script] = blocks('sh')
const [configuration] = blocks('toml')
const [proxy] = blocks('nginx')

let at, ports, files, broker, nginx

/** A text of the page with this test's ports. */
const here = (text) => text
  .replaceAll('127.0.0.1:8080', `127.0.0.1:${at.port}`)
  .replaceAll('127.0.0.1:8444', `127.0.0.1:${ports.certificates}`)
  .replaceAll('sso.example.com:8443', `sso.example.com:${ports.mutual}`)
  .replaceAll('listen 8443', `listen 127.0.0.1:${ports.mutual}`)
  .replaceAll('listen 443', `listen 127.0.0.1:${ports.plain}`)

before(async () => {
  at = { ...await place(), issuer: 'https://sso.example.com' }
  ports = { certificates: await freePort(), mutual: await freePort(), plain: await freePort() }
  const tls = certificate(['sso.example.com'])
  files = folder({ 'tls.pem': tls.cert, 'tls.key': tls.key, 'ci-secret': SECRET })
  execFileSync('sh', ['-ec', authority], { cwd: files, stdio: ['ignore', 'ignore', 'pipe'] })
  broker = new Broker(at, here(configuration), {
    'clients-ca.pem': readFileSync(join(files, 'clients-ca.pem'), 'utf8'),
    'ci-secret': SECRET,
    'here.overlay.toml': `[admin]\nlisten = "127.0.0.1:${at.adminPort}"\n`,
  })
  await broker.start()
  nginx = await startNginx({ folder: files, servers: here(proxy), port: ports.plain })
})

after(async () => {
  await nginx?.close()
  await broker?.stop()
})

/** Runs the page's script, as the runner whose name it has. */
async function run(text = script) {
  const { PATH } = process.env
  // The host name of the page leads here, and its certificate is trusted.
  const curl = `curl() { command curl --cacert tls.pem --resolve sso.example.com:${ports.mutual}:127.0.0.1 "$@"; }\n`
  const { stdout } = await promisify(execFile)('sh', ['-ec', curl + here(text)], { cwd: files, env: { PATH } })
  return JSON.parse(stdout)
}

/** A certificate of the page's authority, made by its own commands, for another name and with another extension file. */
function issue(name, { ext = 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n', days = 365 } = {}) {
  writeFileSync(join(files, 'client.ext'), ext)
  const commands = authority.replace(/^openssl req -x509[^]*?\nprintf[^\n]*\n/, '').replaceAll('ci-runner', name).replace('-days 365', `-days ${days}`)
  execFileSync('sh', ['-ec', commands], { cwd: files, stdio: ['ignore', 'ignore', 'pipe'] })
  return { cert: readFileSync(join(files, `${name}.pem`)), key: readFileSync(join(files, `${name}.key`)) }
}

/** A request to nginx: `{ status, body }`. `agent` decides whether connections are pooled. */
function request(port, { path = '/oauth2/token', form, headers = {}, agent, client = {} }) {
  const body = form && new URLSearchParams({ client_id: 'ci', client_secret: SECRET, ...form }).toString()
  const options = {
    host: '127.0.0.1', port, path, method: form ? 'POST' : 'GET', servername: 'sso.example.com', agent,
    ca: readFileSync(join(files, 'tls.pem')), ...client,
    headers: { host: 'sso.example.com', ...(form && { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) }), ...headers },
  }
  return new Promise((done, fail) => {
    const sent = https.request(options, (response) => {
      let text = ''
      response.on('data', (chunk) => { text += chunk }).on('end', () => done({ status: response.statusCode, body: text }))
    })
    sent.on('error', fail).end(body)
  })
}

const exchange = (extra = {}) => request(ports.mutual, { form: { grant_type: 'urn:countersign:grant:certificate', scope: 'openid profile' }, ...extra })
const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))

test("the page's script gets tokens with curl and a certificate", async () => {
  const tokens = await run()
  assert.equal(tokens.token_type, 'Bearer', JSON.stringify(tokens))
  assert.equal(tokens.scope, 'openid profile')
  assert.equal(claims(tokens.id_token).preferred_username, 'ci-runner')
  assert.equal(claims(tokens.access_token).aud, 'ci')
  assert.equal(claims((await run()).id_token).sub, claims(tokens.id_token).sub)
})

test('discovery names the address that the script uses', async () => {
  const { body } = await request(ports.plain, { path: '/.well-known/openid-configuration' })
  const aliases = JSON.parse(body).mtls_endpoint_aliases
  assert.ok(here(script).includes(aliases.token_endpoint), aliases.token_endpoint)
})

test('pooled connections that alternate with and without a certificate carry nothing over', async () => {
  const runner = issue('pooled')
  const withIt = new https.Agent({ keepAlive: true, maxSockets: 1, ...runner, maxCachedSessions: 0 })
  const without = new https.Agent({ keepAlive: true, maxSockets: 1, maxCachedSessions: 0 })
  for (let n = 0; n < 20; n += 1) {
    const own = await exchange({ agent: withIt, client: runner })
    assert.equal(own.status, 200, own.body)
    assert.equal(claims(JSON.parse(own.body).id_token).preferred_username, 'pooled')
    const none = await exchange({ agent: without })
    assert.equal(none.status, 400, none.body)
    assert.match(none.body, /without a client certificate/)
  }
  // All of them at once, over the connections that nginx keeps to the broker.
  const mixed = await Promise.all(Array.from({ length: 60 }, (_, n) => (n % 2 ? exchange() : exchange({ client: runner }))))
  assert.deepEqual(mixed.map(({ status }) => status), Array.from({ length: 60 }, (_, n) => (n % 2 ? 400 : 200)))
  withIt.destroy()
  without.destroy()
})

test('a header that the client sends is nothing', async () => {
  const forged = encodeURIComponent(readFileSync(join(files, 'ci-runner.pem'), 'utf8'))
  for (const name of ['x-client-cert', 'X_Client_Cert']) {
    const behind = await exchange({ headers: { [name]: forged } })
    assert.equal(behind.status, 400, behind.body)
    assert.match(behind.body, /without a client certificate/)
    const public_ = await request(ports.plain, { form: { grant_type: 'urn:countersign:grant:certificate' }, headers: { [name]: forged } })
    assert.equal(public_.status, 400, public_.body)
    assert.match(public_.body, /no certificate is read here/)
  }
})

test('the broker refuses what nginx lets through', async () => {
  // nginx looks at neither key usage nor extended key usage beyond what OpenSSL asks of a client.
  const mute = issue('mute', { ext: 'basicConstraints=CA:FALSE\nkeyUsage=keyAgreement\n' })
  const refused = await exchange({ client: mute })
  assert.equal(refused.status, 400, refused.body)
  assert.match(refused.body, /certificate/i)
  const root = issue('root2')
  assert.equal((await exchange({ client: root })).status, 200)
})

test("Envoy's header, by its documented form", async () => {
  const envoy = { ...await place(), issuer: 'https://sso.example.com' }
  const port = await freePort()
  const text = here(configuration).replaceAll(`127.0.0.1:${at.port}`, `127.0.0.1:${envoy.port}`).replaceAll(`127.0.0.1:${ports.certificates}`, `127.0.0.1:${port}`)
    .replace('ca = ', 'header = "x-forwarded-client-cert"\nca = ')
  const other = new Broker(envoy, text, {
    'clients-ca.pem': readFileSync(join(files, 'clients-ca.pem'), 'utf8'),
    'ci-secret': SECRET,
    'here.overlay.toml': `[admin]\nlisten = "127.0.0.1:${envoy.adminPort}"\n`,
  })
  await other.start()
  try {
    const pem = encodeURIComponent(readFileSync(join(files, 'ci-runner.pem'), 'utf8'))
    const element = `By=http://frontend.lyft.com;Hash=468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688;Cert="${pem}";Subject="/C=US/ST=CA/L=San Francisco/OU=Lyft/CN=Test Client";URI=http://testclient.lyft.com`
    const form = new URLSearchParams({ client_id: 'ci', client_secret: SECRET, grant_type: 'urn:countersign:grant:certificate', scope: 'openid profile' })
    const send = async (value) => (await fetch(`http://127.0.0.1:${port}/oauth2/token`, { method: 'POST', body: form, headers: { 'x-forwarded-client-cert': value } }))
    const answer = await send(element)
    assert.equal(answer.status, 200, await answer.clone().text())
    assert.equal(claims((await answer.json()).id_token).preferred_username, 'ci-runner')
    const appended = await send(`${element},By=http://nearer.example;Hash=00;Subject="CN=somebody else"`)
    assert.equal(appended.status, 400, 'the nearest proxy says nothing of a certificate')
  } finally {
    await other.stop()
  }
})
