// The programs of apps/spring, which tests/run compiles: an identity provider and an app, each in a JVM of its own.
import { join } from 'node:path'

import { root } from './broker.mjs'
import { startProcess } from './process.mjs'

const at = join(root, 'target/e2e-spring')

/** Starts the program `name` on `port` of 127.0.0.1 with these properties. */
export async function startSpring(name, port, properties, env = {}) {
  const all = {
    'server.port': port, 'server.address': '127.0.0.1', 'spring.main.banner-mode': 'off', 'logging.level.root': 'warn',
    ...properties,
  }
  const given = Object.entries(all).map(([key, value]) => `--${key}=${value}`)
  const jvm = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto', '-Xmx256m', '-cp', `${join(at, 'classes')}:${join(at, 'dependency/*')}`]
  const address = `http://127.0.0.1:${port}`
  const server = await startProcess(`Spring's ${name}`, 'java', [...jvm, `example.${name}`, ...given], { url: address, within: 120_000, env })
  return { address, log: server.log, close: server.stop }
}
