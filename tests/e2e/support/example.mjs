// The examples that operators start from, run here: the file as it stands, this machine's addresses laid over it.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { root } from './broker.mjs'

/** The text of `examples/NAME.toml`. */
export const example = (name) => readFileSync(join(root, 'examples', `${name}.toml`), 'utf8')

/** The app's lines that an example tells its reader to write: the indented ones of its comments. */
export function recipe(name) {
  return example(name).split('\n').filter((line) => line.startsWith('#   ')).map((line) => line.slice(4)).join('\n')
}

/** What `client_secret_hashes` has of a secret. */
export const hashed = (secret) => `sha256:${createHash('sha256').update(secret).digest('hex')}`

/** The overlay that puts a broker at `at` (`place()`); `rest` follows. */
export const overlay = (at, rest) => `issuer = "${at.issuer}"
[server]
listen = ["127.0.0.1:${at.port}"]
[admin]
listen = "127.0.0.1:${at.adminPort}"
${rest}`
