// Traces, as the OpenTelemetry Collector reads them: a receiver with the Collector's own decoder (apps/otlp) gets what the broker
// sends, and the variables of OpenTelemetry's SDKs do nothing but to be named in a warning.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { App } from './support/app.mjs'
import { root } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { freePort } from './support/net.mjs'
import { startProcess } from './support/process.mjs'
import { until } from './support/until.mjs'
import { APPS, apps, brokerToml, startWorld } from './support/world.mjs'

const program = join(root, 'target/e2e-go/otlp')
let receiver, at, world

before(async () => {
  at = `http://127.0.0.1:${await freePort()}`
  receiver = await startProcess('the OTLP receiver', program, [], { url: `${at}/spans`, env: { ADDRESS: new URL(at).host } })
  // Nothing listens there: were the variable read, no span would arrive.
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = 'http://127.0.0.1:1'
  world = await startWorld((...all) => `${brokerToml(...all)}
[telemetry]
otlp_endpoint = "${at}"
service_name = "sso of the tests"
`)
  delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT
})

after(async () => {
  await world?.close()
  await receiver?.stop()
})

test('a sign-in is one trace of well-formed spans', async () => {
  const app = await App.at(world.issuer, apps.grafana)
  const { tokens } = await app.signIn(new Browser([APPS]), { login: 'alice', provider: 'Corporate account' })
  await app.refresh(tokens.refresh_token)
  const spans = []
  await until('the spans of two token requests arrive', async () => {
    spans.push(...await (await fetch(`${at}/spans`)).json())
    return spans.filter((span) => span.name === 'POST token').length === 2
  })
  const [first] = spans.filter((span) => span.name === 'GET authorization')
  assert.match(first.trace, /^[0-9a-f]{32}$/)
  assert.match(first.id, /^[0-9a-f]{16}$/)
  for (const name of ['GET callback', 'POST token']) {
    for (const span of spans.filter((span) => span.name === name)) {
      assert.deepEqual([span.trace, span.kind, span.parent], [first.trace, 'Server', ''], name)
      assert.equal(span.attributes['countersign.trace_id'], first.attributes['countersign.trace_id'])
      assert.equal(typeof span.attributes['http.response.status_code'], 'number', 'a number stays one')
    }
  }
  const callback = spans.find((span) => span.name === 'GET callback')
  const calls = spans.filter((span) => span.kind === 'Client' && span.parent === callback.id)
  assert.ok(calls.some((call) => call.attributes['url.full'].startsWith(world.corp.issuer)), 'calls to the provider are below the callback')
  for (const span of spans) {
    assert.equal(span.service, 'sso of the tests')
    assert.ok(span.nanos >= 0 && span.nanos < 60e9, `${span.name} took ${span.nanos} ns`)
  }
})

test('a variable of the SDKs that is set is named with the setting in its place', () => {
  assert.match(world.broker.log, /environment_not_read.*OTEL_EXPORTER_OTLP_ENDPOINT.*telemetry\.otlp_endpoint/)
})
