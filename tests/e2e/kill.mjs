// node kill.mjs [--kills 1000] [--store sqlite|postgres] [--database] [--seed N]: kills the broker that often, with
// --database PostgreSQL too, and says what it found.
import { parseArgs } from 'node:util'

import { kills } from './support/kills.mjs'

const { values } = parseArgs({ options: { kills: { type: 'string', default: '1000' }, store: { type: 'string', default: 'sqlite' }, seed: { type: 'string' }, database: { type: 'boolean', default: false } } })
const count = Number(values.kills)
const seed = values.seed === undefined ? undefined : Number(values.seed)
if (!Number.isInteger(count) || count < 1 || !['sqlite', 'postgres'].includes(values.store) || (values.database && values.store !== 'postgres') || Number.isNaN(seed)) {
  process.stderr.write('usage: node kill.mjs [--kills 1000] [--store sqlite|postgres] [--database] [--seed N]\n')
  process.exit(2)
}
// Ctrl-C ends the run after the current round, with its counts; a second one ends it at once.
let interrupted = false
process.on('SIGINT', () => {
  if (interrupted) process.exit(130)
  interrupted = true
})
process.once('SIGTERM', () => process.exit(143))
try {
  const found = await kills({ count, store: values.store, database: values.database, seed, ended: () => interrupted, say: (line) => process.stderr.write(`${line}\n`) })
  for (const [what, number] of Object.entries(found)) process.stdout.write(`${what}: ${number}\n`)
} catch (error) {
  process.stderr.write(`${error.message}\n${error.cause?.stack ?? ''}\n`)
  process.exit(1)
}
