// The alert rules and the scrape configuration of examples/monitoring, read by Prometheus's own tool.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

import { root } from './support/broker.mjs'

const promtool = join(root, 'target/e2e-promtool/usr/bin/promtool')
const run = promisify(execFile)

test('promtool accepts the alert rules', async () => {
  const { stdout } = await run(promtool, ['check', 'rules', '--lint-fatal', join(root, 'examples/monitoring/alerts.yml')])
  assert.match(stdout, /SUCCESS: \d+ rules found/)
})

test('promtool accepts the configuration', async () => {
  const { stdout } = await run(promtool, ['check', 'config', '--syntax-only', join(root, 'examples/monitoring/prometheus.yml')])
  assert.match(stdout, /SUCCESS/)
})
