// The proxies of deploy/proxies, each with its real program: the file as it is, with the addresses of this test, in front of a
// broker with the configuration that the file's head shows.
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'

import { Broker, folder, place, root } from './support/broker.mjs'
import { certificate, freePort } from './support/net.mjs'
import { startNginx } from './support/nginx.mjs'
import { startProcess } from './support/process.mjs'
import { until } from './support/until.mjs'

const SECRET = 'ci-secret-0123456789_ABCDEF'
const FORGED_ADDRESS = '203.0.113.66'
const tool = (name) => join(root, 'target/e2e-deploy/bin', name)
const check = promisify(execFile)

/** A file of deploy/proxies with the addresses of this test. */
function here(name, ports) {
  return readFileSync(join(root, 'deploy/proxies', name), 'utf8')
    .replaceAll('10.0.0.11:8080', `127.0.0.1:${ports.public[0]}`).replaceAll('10.0.0.12:8080', `127.0.0.1:${ports.public[1]}`)
    .replaceAll('10.0.0.11:8444', `127.0.0.1:${ports.mutual[0]}`).replaceAll('10.0.0.12:8444', `127.0.0.1:${ports.mutual[1]}`)
    .replaceAll('sso.example.com:8443', `sso.example.com:${ports.certificates}`)
}

/** The broker's configuration in the head of such a file, with the addresses of this test: both replicas are one broker. */
function configuration(text, ports) {
  const [, head] = /^# broker\.toml:\n((?:#.*\n)+)/m.exec(text)
  const both = ([one, other]) => `["127.0.0.1:${one}", "127.0.0.1:${other}"]`
  return head.replaceAll(/^# ? ?/gm, '')
    .replace('["0.0.0.0:8080"]', both(ports.public)).replace('["0.0.0.0:8444"]', both(ports.mutual)).replace('["10.0.0.2"]', '["127.0.0.1"]')
}

const PROXIES = {
  nginx: {
    file: 'nginx.conf',
    async start({ text, at, ports }) {
      const servers = text.replaceAll(/listen (8?443) ssl/g, (_, port) => `listen 127.0.0.1:${port === '443' ? ports.tls : ports.certificates} ssl`)
      const nginx = await startNginx({ folder: at, servers, port: ports.tls })
      await check('/usr/sbin/nginx', ['-t', '-p', at, '-c', 'nginx.conf', '-e', 'stderr'])
      return nginx.close
    },
  },
  Caddy: {
    file: 'Caddyfile',
    async start({ text, at, ports }) {
      await check(tool('caddy'), ['validate', '--adapter', 'caddyfile', '--config', join(root, 'deploy/proxies/Caddyfile')], { cwd: at, env: { HOME: at } })
      writeFileSync(join(at, 'Caddyfile'), text.replace('admin off', `admin off\n\tdefault_bind 127.0.0.1\n\thttp_port ${await freePort()}`)
        .replace('https://sso.example.com {', `https://sso.example.com:${ports.tls} {`))
      const { stop } = await startProcess('Caddy', tool('caddy'), ['run', '--adapter', 'caddyfile', '--config', 'Caddyfile'], { cwd: at, env: { HOME: at }, url: `http://127.0.0.1:${ports.tls}/` })
      return stop
    },
  },
  Traefik: {
    file: 'traefik/countersign.yaml',
    async start({ text, at, ports }) {
      writeFileSync(join(at, 'countersign.yaml'), text)
      writeFileSync(join(at, 'traefik.yaml'), here('traefik/traefik.yaml', ports).replace('":443"', `127.0.0.1:${ports.tls}`).replace('":8443"', `127.0.0.1:${ports.certificates}`))
      const { stop } = await startProcess('Traefik', tool('traefik'), ['--configFile=traefik.yaml'], { cwd: at, env: { HOME: at }, url: `http://127.0.0.1:${ports.tls}/` })
      return stop
    },
  },
  Envoy: {
    file: 'envoy.yaml',
    async start({ text, at, ports }) {
      await check(tool('envoy'), ['--mode', 'validate', '--config-path', join(root, 'deploy/proxies/envoy.yaml')], { cwd: at })
      const admin = await freePort()
      let replica = { 8080: 0, 8444: 0 }
      writeFileSync(join(at, 'envoy.yaml'), text.replaceAll(/address: 10\.0\.0\.1[12], port_value: (\d+)/g, (_, port) => {
        const own = port === '8080' ? ports.public : ports.mutual
        return `address: 127.0.0.1, port_value: ${own[replica[port]++]}`
      }).replaceAll(/address: 0\.0\.0\.0, port_value: (8?443)/g, (_, port) => `address: 127.0.0.1, port_value: ${port === '443' ? ports.tls : ports.certificates}`)
        + `admin: { address: { socket_address: { address: 127.0.0.1, port_value: ${admin} } } }\n`)
      const { stop } = await startProcess('Envoy', tool('envoy'), ['--config-path', 'envoy.yaml', '--concurrency', '1', '--disable-hot-restart'], { cwd: at, url: `http://127.0.0.1:${admin}/ready` })
      return stop
    },
  },
}

/** The authority of clients, and a certificate of it for each name. */
function clients(at, names) {
  const openssl = (...args) => execFileSync('openssl', args, { cwd: at, stdio: ['ignore', 'ignore', 'pipe'] })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...key, '-days', '30', '-subj', '/CN=Clients CA', '-addext', 'keyUsage=critical,keyCertSign,cRLSign', '-keyout', 'ca.key', '-out', 'clients-ca.pem')
  writeFileSync(join(at, 'client.ext'), 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n')
  return Object.fromEntries(names.map((name) => {
    openssl('req', ...key, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`)
    openssl('x509', '-req', '-in', `${name}.csr`, '-CA', 'clients-ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'client.ext', '-out', `${name}.pem`)
    return [name, { cert: readFileSync(join(at, `${name}.pem`), 'utf8'), key: readFileSync(join(at, `${name}.key`), 'utf8') }]
  }))
}

/** Every header for certificates, with this one in the form of each. */
function forged(pem) {
  const der = pem.replaceAll(/-----[A-Z ]+-----|\s/g, '')
  return {
    'X-Client-Cert': encodeURIComponent(pem),
    'Client-Cert': `:${der}:`,
    'Client-Cert-Chain': `:${der}:`,
    'X-Forwarded-Client-Cert': `Hash=00;Cert="${encodeURIComponent(pem)}"`,
    'X-Forwarded-Tls-Client-Cert': der,
  }
}

for (const [name, { file, start }] of Object.entries(PROXIES)) {
  describe(name, () => {
    let at, ports, broker, stop, people

    before(async () => {
      const own = { ...await place(), issuer: 'https://sso.example.com' }
      ports = { public: [own.port, await freePort()], mutual: [await freePort(), await freePort()], tls: await freePort(), certificates: await freePort() }
      const tls = certificate(['sso.example.com'])
      at = folder({ 'tls.pem': tls.cert, 'tls.key': tls.key })
      people = clients(at, ['ci-runner', 'victim'])
      const text = here(file, ports)
      broker = new Broker(own, `issuer = "https://sso.example.com"\n${configuration(text, ports)}`, {
        'clients-ca.pem': readFileSync(join(at, 'clients-ca.pem'), 'utf8'),
        'ci-secret': SECRET,
        'here.overlay.toml': `
[admin]
listen = "127.0.0.1:${own.adminPort}"
[certificates]
clients = ["ci"]
create_users = true
[clients.ci]
client_secret = { file = "ci-secret" }
grant_types = []
scopes = ["openid", "profile"]
`,
      })
      await broker.start()
      stop = await start({ text, at, ports })
      await until(`${name} forwards`, async () => (await request(ports.tls, { path: '/.well-known/openid-configuration' })).status === 200)
    })

    after(async () => {
      await stop?.()
      await broker?.stop()
    })

    /** A request to the proxy: `{ status, body }`. */
    function request(port, { path = '/oauth2/token', form, headers = {}, client = {} }) {
      const body = form && new URLSearchParams(form).toString()
      return new Promise((done, fail) => {
        const sent = https.request({
          host: '127.0.0.1', port, path, method: form ? 'POST' : 'GET', servername: 'sso.example.com', agent: false, ca: readFileSync(join(at, 'tls.pem')), ...client,
          headers: { host: 'sso.example.com', ...(form && { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) }), ...headers },
        }, (response) => {
          let text = ''
          response.on('data', (chunk) => { text += chunk }).on('end', () => done({ status: response.statusCode, headers: response.headers, body: text }))
        })
        sent.on('error', fail).end(body)
      })
    }

    const exchange = (port, extra = {}) => request(port, { form: { client_id: 'ci', client_secret: SECRET, grant_type: 'urn:countersign:grant:certificate', scope: 'openid profile' }, ...extra })
    const whose = ({ status, body }) => {
      assert.equal(status, 200, body)
      return JSON.parse(Buffer.from(JSON.parse(body).id_token.split('.')[1], 'base64url')).preferred_username
    }

    test('discovery is served over TLS', async () => {
      for (let n = 0; n < 4; n += 1) {
        const { status, headers, body } = await request(ports.tls, { path: '/.well-known/openid-configuration' })
        assert.equal(status, 200)
        assert.equal(JSON.parse(body).issuer, 'https://sso.example.com')
        assert.match(headers['strict-transport-security'], /max-age=31536000/)
      }
    })

    test('a certificate gets tokens', async () => {
      for (let n = 0; n < 2; n += 1) assert.equal(whose(await exchange(ports.certificates, { client: people['ci-runner'] })), 'ci-runner')
    })

    test('headers for certificates that a client sends are removed, in all forms', async () => {
      const all = forged(people.victim.cert)
      for (const headers of [all, ...Object.entries(all).map(([key, value]) => ({ [key]: value }))]) {
        const without = await exchange(ports.certificates, { headers })
        assert.equal(without.status, 400, without.body)
        assert.match(without.body, /without a client certificate/, JSON.stringify(Object.keys(headers)))
        assert.equal(whose(await exchange(ports.certificates, { headers, client: people['ci-runner'] })), 'ci-runner')
        const elsewhere = await exchange(ports.tls, { headers })
        assert.equal(elsewhere.status, 400, elsewhere.body)
        assert.match(elsewhere.body, /no certificate is read here/)
      }
      assert.doesNotMatch(broker.log, /certificate_ignored/, 'the header reached the public listener')
    })

    test('underscores do not get a header past the proxy', async () => {
      for (const [key, value] of Object.entries(forged(people.victim.cert))) {
        const { status, body } = await exchange(ports.certificates, { headers: { [key.replaceAll('-', '_')]: value } })
        assert.equal(status, 400, `${key}: ${body}`)
      }
    })

    test('the address in the log is not what the client says', async () => {
      const { status } = await exchange(ports.tls, {
        form: { client_id: 'ci', client_secret: 'wrong', grant_type: 'refresh_token', refresh_token: 'x' },
        headers: { 'X-Forwarded-For': FORGED_ADDRESS, Forwarded: `for=${FORGED_ADDRESS}`, 'X-Real-IP': FORGED_ADDRESS },
      })
      assert.equal(status, 401)
      const line = await until('the failure is logged', () => broker.log.split('\n').find((text) => text.includes('authentication_failed')))
      const { span: { address } } = JSON.parse(line)
      assert.ok(address && address !== FORGED_ADDRESS, line)
    })

    test('a body beyond the limit is refused', async () => {
      const { status } = await exchange(ports.tls, { form: { client_id: 'ci', large: 'x'.repeat(200_000) } })
      assert.equal(status, 413)
    })
  })
}
