// Addresses on this machine, and the TLS that puts app, broker and IdP on three sites.
import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// Below the ports that the kernel assigns to connections, and different from where other test processes begin.
let nextPort = 20_000 + (process.pid * 37) % 10_000
// Above them: ports that stay free while the process that uses them is down.
let nextKept = 31_001 + (process.pid * 37) % 1_500

/**
 * A TCP port of 127.0.0.1 on which nothing listens, a different one for each call. Other test processes may take it while nothing
 * listens, unless it is to be `kept`.
 */
export async function freePort({ kept = false } = {}) {
  for (;;) {
    if (kept) nextKept = nextKept >= 32_700 ? 31_001 : nextKept + 1
    else nextPort = nextPort >= 31_000 ? 20_000 : nextPort + 1
    const port = kept ? nextKept : nextPort
    const server = net.createServer()
    const free = await new Promise((resolve) => {
      server.once('error', () => resolve(false))
      // Connections that arrive meanwhile are closed, because closing the server would wait for them, perhaps forever.
      server.on('connection', (socket) => socket.destroy())
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (free) return port
  }
}

/** Starts `server` on 127.0.0.1 and returns its port. */
export function listen(server, port = 0) {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server.address().port))
  })
}

/** Closes a server and the connections that are still open. */
export function close(server) {
  return new Promise((resolve) => {
    server.close(resolve)
    server.closeAllConnections()
  })
}

/** A key and a self-signed certificate for `hosts`; `spki` is what Chromium is told to accept. */
export function certificate(hosts) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-e2e-tls-'))
  const [key, cert] = [join(folder, 'tls.key'), join(folder, 'tls.pem')]
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=countersign e2e', '-addext', `subjectAltName=${hosts.map((host) => `DNS:${host}`).join(',')}`,
    '-keyout', key, '-out', cert,
  ], { stdio: ['ignore', 'ignore', 'pipe'] })
  const made = { key: readFileSync(key), cert: readFileSync(cert) }
  rmSync(folder, { recursive: true })
  const der = new X509Certificate(made.cert).publicKey.export({ type: 'spki', format: 'der' })
  return { ...made, spki: createHash('sha256').update(der).digest('base64') }
}

/** A TLS-terminating reverse proxy in front of `http://127.0.0.1:targetPort`, as an operator would use one. */
export async function tlsFront(tls, port, targetPort) {
  const agent = new http.Agent({ keepAlive: true })
  const server = https.createServer({ key: tls.key, cert: tls.cert }, (request, response) => {
    const headers = {
      ...request.headers,
      'x-forwarded-for': request.socket.remoteAddress,
      'x-forwarded-proto': 'https',
      'x-forwarded-host': request.headers.host,
    }
    const onward = http.request(
      { host: '127.0.0.1', port: targetPort, method: request.method, path: request.url, headers, agent },
      (answer) => {
        response.writeHead(answer.statusCode, answer.rawHeaders)
        answer.pipe(response)
      },
    )
    onward.on('error', (error) => response.writeHead(502).end(error.message))
    request.pipe(onward)
  })
  await listen(server, port)
  return { close: () => { agent.destroy(); return close(server) } }
}

/**
 * A network between a client and `127.0.0.1:targetPort` that can be made slow or be interrupted. `slow(ms)` delays what is sent
 * in either direction; after `stop()` nothing gets through and nobody is told, as when packets are lost; `pass()` ends both, and
 * what was held arrives.
 */
export async function network(targetPort) {
  const sockets = new Set()
  let [delay, stopped] = [0, false]
  const forward = (from, to) => {
    sockets.add(from)
    from.on('data', (chunk) => {
      if (delay) setTimeout(() => to.writable && to.write(chunk), delay)
      else to.write(chunk)
    })
    from.on('close', () => { sockets.delete(from); to.destroy() })
    from.on('error', () => {})
    if (stopped) from.pause()
  }
  const server = net.createServer((client) => {
    const onward = net.connect(targetPort, '127.0.0.1')
    forward(client, onward)
    forward(onward, client)
  })
  const port = await listen(server)
  return {
    port,
    slow(milliseconds) { delay = milliseconds },
    stop() { stopped = true; for (const socket of sockets) socket.pause() },
    pass() { [delay, stopped] = [0, false]; for (const socket of sockets) socket.resume() },
    close: () => new Promise((resolve) => { server.close(resolve); for (const socket of sockets) socket.destroy() }),
  }
}
