// One file, reloaded while the broker runs; and restarts, clean and by kill -9.
import assert from 'node:assert/strict'
import { renameSync } from 'node:fs'
import { after, before, beforeEach, test } from 'node:test'

import { App, refusal } from './support/app.mjs'
import { Browser } from './support/browser.mjs'
import { until } from './support/until.mjs'
import { APPS, apps, callback, startWorld } from './support/world.mjs'

/** How long the broker may take from the save to the new generation. */
const APPLIED = { within: 2_000, every: 10 }

let world, good

before(async () => { world = await startWorld(); good = world.broker.read() })
after(() => world?.close())
beforeEach(async () => {
  if (world.broker.read() !== good) world.broker.save(good)
  await until('the good file serves', async () => !(await status()).reload_failed && !(await knows('later')), { within: 5_000 })
})

async function status() {
  return (await fetch(`${world.broker.admin}/status`)).json()
}

async function metric(name) {
  const text = await (await fetch(`${world.broker.admin}/metrics`)).text()
  return Number(text.split('\n').find((line) => line.startsWith(`${name} `))?.split(' ')[1])
}

/** Whether the broker knows an app; if not, its request ends on an error page. */
async function knows(id) {
  const url = new URL(`${world.issuer}/oauth2/authorize`)
  url.search = new URLSearchParams({ client_id: id, redirect_uri: callback(id), response_type: 'code', scope: 'openid', prompt: 'none' })
  const answer = await fetch(url, { redirect: 'manual' })
  await answer.text()
  return answer.status >= 300 && answer.status < 400
}

const LATER = `
[clients.later]
client_secret = { file = "gitlab-secret" }
redirect_uris = ["${callback('later')}"]
`

test('a saved file applies within two seconds', async () => {
  const generation = (await status()).generation
  world.broker.save(good + LATER)
  await until('the new app is known', () => knows('later'), APPLIED)
  assert.equal((await status()).generation, generation + 1)
  world.broker.save(good)
  await until('the new app is gone', async () => !(await knows('later')), APPLIED)
})

test('a broken file changes nothing and raises the alarm, with all problems; the repaired one applies', async () => {
  const before = await status()
  world.broker.save(`${good}${LATER}redirect_urls = []\n[clients.other]\nredirect_uris = 7\n`)
  await until('the alarm', async () => (await metric('countersign_config_reload_failed')) === 1, APPLIED)
  const broken = await status()
  assert.equal(broken.generation, before.generation)
  assert.equal(broken.hash, before.hash)
  const problems = broken.reload_problems.map((problem) => `${problem.path} ${problem.message}`).join('\n')
  assert.match(problems, /redirect_urls/)
  assert.match(problems, /clients\.other|redirect_uris/)
  assert.equal(await knows('later'), false)
  const app = await App.at(world.issuer, apps.gitlab)
  assert.ok((await app.signIn(new Browser([APPS]), { login: 'alice' })).claims.sub)

  world.broker.save(good + LATER)
  await until('the repaired file', () => knows('later'), APPLIED)
  // It is served first, and the alarm ends when the audit trail has the event.
  await until('the end of the alarm', async () => (await metric('countersign_config_reload_failed')) === 0, APPLIED)
})

test('an empty, half-written or deleted file: the old one serves, and the alarm ends when the file is back', async () => {
  const failed = async (expected) => until(`reload_failed ${expected}`, async () => (await metric('countersign_config_reload_failed')) === expected, { within: 3_000 })
  for (const bad of ['', good.slice(0, good.length / 2)]) {
    world.broker.save(bad)
    await failed(1)
    assert.equal(await knows('grafana'), true)
    world.broker.save(good)
    await failed(0)
  }
  renameSync(world.broker.file, `${world.broker.file}.away`)
  await failed(1)
  assert.equal(await knows('grafana'), true)
  renameSync(`${world.broker.file}.away`, world.broker.file)
  await failed(0)
})

test('a setting that needs a restart fails the whole reload and says so', async () => {
  world.broker.save(good.replace(/^issuer = .*$/m, 'issuer = "http://127.0.0.1:1"') + LATER)
  await until('the alarm', async () => (await status()).reload_failed, APPLIED)
  assert.match((await status()).reload_problems[0].message, /issuer.*restart/s)
  assert.equal(await knows('later'), false)
})

test('a secret file is read again when it changes', async () => {
  const { writeFileSync } = await import('node:fs')
  const { join } = await import('node:path')
  const file = join(world.broker.folder, 'gitlab-secret')
  const app = await App.at(world.issuer, { ...apps.gitlab, secret: 'the new secret' })
  try {
    writeFileSync(file, 'the new secret\n')
    await until('the new secret opens', async () => (await refusal(app.introspect('x'))) === 'not refused', APPLIED)
    const old = await App.at(world.issuer, apps.gitlab)
    assert.equal(await refusal(old.introspect('x')), 'invalid_client')
  } finally {
    writeFileSync(file, apps.gitlab.secret)
    const old = await App.at(world.issuer, apps.gitlab)
    await until('the old secret again', async () => (await refusal(old.introspect('x'))) === 'not refused', APPLIED)
  }
})

test('a sign-in under way survives a reload and a broken file', async () => {
  const app = await App.at(world.issuer, apps.gitlab)
  const [one, two] = [new Browser([APPS]), new Browser([APPS])]
  const first = await app.begin()
  const firstPage = await one.open(first.url)
  world.broker.save(good + LATER)
  await until('the new file', () => knows('later'), APPLIED)
  const second = await app.begin()
  const secondPage = await two.open(second.url)
  world.broker.save('issuer = ')
  await until('the alarm', async () => (await status()).reload_failed, APPLIED)

  for (const [page, checks] of [[firstPage, first.checks], [secondPage, second.checks]]) {
    const back = await page.click('Log in', { login: 'alice' })
    assert.ok(back.left, `${back}`)
    assert.ok((await app.finish(back.url, checks)).id_token)
  }
})

test('policy follows the file at the next decision: sessions, refresh, introspection; sessions stay', async () => {
  const app = await App.at(world.issuer, apps.vault)
  const browser = new Browser([APPS])
  const { tokens } = await app.signIn(browser, { login: 'alice', provider: 'Corporate account' })
  assert.equal((await app.introspect(tokens.access_token)).active, true)

  world.broker.save(good.replace(`require = "'sre' in groups"`, `require = "'nobody' in groups"`))
  await until('introspection says no', async () => !(await app.introspect(tokens.access_token)).active, APPLIED)
  assert.equal(await refusal(app.refresh(tokens.refresh_token)), 'invalid_grant')
  const { url } = await app.begin({ prompt: 'none' })
  // Only the provider can say whether she has got what the file asks for now, and no page may be shown.
  assert.equal((await browser.open(url)).url.searchParams.get('error'), 'login_required')

  world.broker.save(good)
  await until('introspection says yes', async () => (await app.introspect(tokens.access_token)).active, APPLIED)
  assert.ok((await app.refresh(tokens.refresh_token)).access_token, 'the session was there all along')
})

test('a disabled app is out at once', async () => {
  const app = await App.at(world.issuer, apps.vault)
  const { tokens } = await app.signIn(new Browser([APPS]), { login: 'alice', provider: 'Corporate account' })
  world.broker.save(good.replace('[clients.vault]', '[clients.vault]\nenabled = false'))
  await until('refused', async () => (await refusal(app.refresh(tokens.refresh_token))) === 'invalid_client', APPLIED)
  const userinfo = await fetch(app.config.serverMetadata().userinfo_endpoint, { headers: { authorization: `Bearer ${tokens.access_token}` } })
  assert.equal(userinfo.status, 401)
  assert.equal(await knows('vault'), false)
})

test('a provider that is removed yields nothing, and revives when it returns', async () => {
  const app = await App.at(world.issuer, apps.grafana)
  const browser = new Browser([APPS])
  const { tokens } = await app.signIn(browser, { login: 'dora', provider: 'Partner account' })
  world.broker.save(good.replace('[providers.partner]', '[providers.partner]\nenabled = false'))
  await until('introspection says no', async () => !(await app.introspect(tokens.access_token)).active, APPLIED)
  assert.equal(await refusal(app.refresh(tokens.refresh_token)), 'invalid_grant')
  world.broker.save(good)
  await until('introspection says yes', async () => (await app.introspect(tokens.access_token)).active, APPLIED)
  assert.ok((await app.refresh(tokens.refresh_token)).access_token)
})

for (const [how, signal, end] of [['a clean restart', 'SIGTERM', 0], ['kill -9 and a start', 'SIGKILL', 'SIGKILL']]) {
  test(`${how} keeps sessions, codes, refresh tokens and sign-ins under way`, async () => {
    const [app, gitlab] = [await App.at(world.issuer, apps.grafana), await App.at(world.issuer, apps.gitlab)]
    const browser = new Browser([APPS])
    const { tokens, claims } = await app.signIn(browser, { login: 'alice', provider: 'Corporate account' })
    const code = await app.begin()
    const codePage = await browser.open(code.url)
    const underWay = await gitlab.begin()
    const atIdp = await new Browser([APPS]).open(underWay.url)
    const revoked = (await gitlab.signIn(new Browser([APPS]), { login: 'bob' })).tokens
    await gitlab.revoke(revoked.refresh_token)

    assert.equal(await world.broker.stop(signal), end)
    await world.broker.start()

    assert.equal((await app.finish(codePage.url, code.checks)).claims().sub, claims.sub, 'the code')
    assert.equal(await refusal(app.finish(codePage.url, code.checks)), 'invalid_grant', 'the code, twice')
    assert.equal((await app.refresh(tokens.refresh_token)).claims().sub, claims.sub, 'the refresh token')
    assert.equal((await app.introspect(tokens.access_token)).active, true, 'the access token, so the signing key too')
    assert.equal((await app.signIn(browser, {})).claims.sub, claims.sub, 'the session')
    const back = await atIdp.click('Log in', { login: 'alice' })
    assert.equal((await gitlab.finish(back.url, underWay.checks)).claims().sub, claims.sub, 'the sign-in under way')
    assert.equal(await refusal(gitlab.refresh(revoked.refresh_token)), 'invalid_grant', 'what was revoked stays so')
  })
}
