// The examples that operators start from, run with an overlay of this machine's addresses.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { Broker, root } from './broker.mjs'

/** The text of `examples/NAME.toml`. */
export const example = (name) => readFileSync(join(root, 'examples', `${name}.toml`), 'utf8')

/** The app's settings that an example gives its reader: the indented lines of its comments, before the notes. */
export function recipe(name) {
  return example(name).split('# Notes:')[0].split('\n').filter((line) => line.startsWith('#   ')).map((line) => line.slice(4)).join('\n')
}

/** The hash of a secret for `client_secret_hashes`. */
export const hashed = (secret) => `sha256:${createHash('sha256').update(secret).digest('hex')}`

/** The overlay with the addresses of the broker at `at` (`place()`); `rest` follows. */
export const overlay = (at, rest) => `issuer = "${at.issuer}"
[server]
listen = ["127.0.0.1:${at.port}"]
[admin]
listen = "127.0.0.1:${at.adminPort}"
${rest}`

/** The broker of `examples/NAME.toml` at `at`; its provider `corp` is the IdP `issuer`, and `rest` continues that table of the overlay. */
export const exampleBroker = (name, at, issuer, rest) => new Broker(at, example(name), {
  'corp-secret': 'corp-secret',
  'here.overlay.toml': overlay(at, `
[providers.corp]
issuer = "${issuer}"
client_secret = { file = "corp-secret" }
${rest}`),
})
