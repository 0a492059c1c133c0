// The broker is killed at random instants, a bounded number of times; `node kill.mjs --kills 1000` does so as often as wanted.
import assert from 'node:assert/strict'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { kills } from './support/kills.mjs'

for (const store of ['sqlite', 'postgres']) {
  test(`kill -9, 20 times, on ${store}: what was answered holds`, async (context) => {
    const found = await kills({ count: 20, store })
    context.diagnostic(JSON.stringify(found))
    assert.equal(found.kills, 20)
    assert.ok(found['stores migrated'] > 0, JSON.stringify(found))
    for (const what of ['redemptions', 'refreshes', 'live grants checked', 'dead grants checked', 'tokens verified']) {
      assert.ok(found[what] > 0, `no ${what}: ${JSON.stringify(found)}`)
    }
  })
}

test('a store that loses answered writes is noticed', async () => {
  const spoil = ({ folder }) => {
    const log = join(folder, 'state/broker.db-wal')
    if (existsSync(log)) rmSync(log)
  }
  await assert.rejects(kills({ count: 40, store: 'sqlite', spoil }), /^Error: seed \d+, sqlite, after \d+ kills: /)
})
