// Several processes with one file and one PostgreSQL database, behind nginx as in deploy/proxies, and a real IdP.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { Broker, folder, place, root } from './broker.mjs'
import { broker as brokerClient, startIdp } from './idp.mjs'
import { freePort } from './net.mjs'
import { startNginx } from './nginx.mjs'
import { people, SECRETS, withoutPartner } from './world.mjs'

/** What deploy/proxies/nginx.conf says of replicas, without its TLS; `X-Replica` tells which of them answered. */
function proxy(port, replicas) {
  const file = readFileSync(join(root, 'deploy/proxies/nginx.conf'), 'utf8')
  const [upstream] = /^upstream broker \{\n[^]*?^\}$/m.exec(file)
  const [location] = /^ {4}location \/ \{\n[^]*?^ {4}\}$/m.exec(file)
  const servers = ['10.0.0.11:8080', '10.0.0.12:8080'].reduce((text, server, at) => text.replace(server, `127.0.0.1:${replicas[at].port}`), upstream)
  return `${servers}
server {
    listen 127.0.0.1:${port};
    add_header X-Replica $upstream_addr always;
${location}
}`
}

/**
 * Starts two replicas on the store at `url`; each reaches it by one of them if `url` is a list. `toml` is appended to the file
 * that both have.
 *
 * In what it returns, `at(replica)` is a `fetch` that reaches one replica, where the issuer's would reach either.
 */
export async function startReplicas(url, toml = '') {
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const places = [{ ...await place({ kept: true }), issuer }, { ...await place({ kept: true }), issuer }]
  const accounts = people().corp
  const corp = await startIdp({ name: 'corp', accounts, brokers: [brokerClient(issuer, 'corp')] })
  const file = `${withoutPartner(places[0], corp).replace('[server]', '[server]\ntrusted_proxies = ["127.0.0.1/32"]')}
[store]
url = "${[url].flat()[0]}"
encryption_keys = [{ file = "store-key" }]

[limits]
per_address = { rate = "1000/s", burst = 1000 }
${toml}`
  const key = randomBytes(32).toString('base64')
  const replicas = places.map((there, number) => new Broker(there, file, {
    ...SECRETS,
    'store-key': key,
    // Everything else is the same; only the addresses differ, because all of them are on one machine.
    'here.overlay.toml': `[server]
listen = ["127.0.0.1:${there.port}"]
[admin]
listen = "127.0.0.1:${there.adminPort}"
[store]
url = "${[url].flat().at(number % [url].flat().length)}"
`,
  }))
  let nginx
  const close = async () => {
    await Promise.all(replicas.map((replica) => replica.stop()))
    await nginx?.close()
    await corp.close()
  }
  try {
    await Promise.all(replicas.map((replica) => replica.start()))
    nginx = await startNginx({ folder: folder(), servers: proxy(port, replicas), port })
  } catch (error) {
    await close()
    throw error
  }
  const at = (replica) => (address, options) => fetch(String(address).replace(issuer, `http://127.0.0.1:${replica.port}`), options)
  return { issuer, replicas, corp, accounts, file, at, close }
}
