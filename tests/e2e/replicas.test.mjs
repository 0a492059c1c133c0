// Two replicas on PostgreSQL behind nginx, which gives each request to the other one: what is done at one holds at both, and
// neither the end of a replica nor that of the database loses what was answered.
import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before, test } from 'node:test'
import { text } from 'node:stream/consumers'

import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'

import { App, refusal } from './support/app.mjs'
import { run } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { close, listen } from './support/net.mjs'
import { Postgres } from './support/postgres.mjs'
import { startReplicas } from './support/replicas.mjs'
import { until } from './support/until.mjs'
import { APPS, apps, bye } from './support/world.mjs'

/** How many people sign in at the same time under load. */
const WORKERS = 4
/** How soon the replicas must serve again by themselves after the database is back. */
const RECOVERED = { within: 20_000 }

let primary, standby, world, receiver
/** The logout tokens that the app `grafana` was sent. */
const notices = []
/** Whether that app accepts them, and how often it did not. */
let [receiving, turnedAway] = [true, 0]

before(async () => {
  primary = await Postgres.make()
  await primary.start()
  await primary.createDatabase('countersign')
  standby = await primary.standby()
  // Every transaction waits for the standby from here on, so that a failover loses nothing.
  await primary.stop()
  await Promise.all([primary.start({ synchronous_standby_names: '*' }), standby.start({ wal_retrieve_retry_interval: '100ms' })])
  receiver = http.createServer(async (request, response) => {
    const token = new URLSearchParams(await text(request)).get('logout_token')
    if (receiving) notices.push(token)
    response.writeHead(receiving ? 200 : 503).end()
    if (!receiving) turnedAway += 1
  })
  const port = await listen(receiver)
  const url = `postgres://countersign@127.0.0.1:${primary.port},127.0.0.1:${standby.port}/countersign?connect_timeout=2`
  world = await startReplicas(url, `
[clients.grafana-api]
client_secret = { file = "grafana-secret" }
redirect_uris = ["${APPS}grafana-api/callback"]
backchannel_logout_uri = "http://127.0.0.1:${port}/logout"
`)
})

after(async () => {
  await world?.close()
  await Promise.all([primary?.remove(), standby?.remove()])
  if (receiver) await close(receiver)
})

/** An app whose requests reach the replica, or either in turn. */
const appAt = (replica, settings = apps.gitlab) => App.at(world.issuer, { ...settings, ...(replica ? { fetch: world.at(replica) } : {}) })

/** The app that is told of the end of a session. */
const told = { id: 'grafana-api', secret: apps.grafana.secret, redirectUri: `${APPS}grafana-api/callback` }

/** An app whose requests go through nginx; `seen` lists the replica that answered each. */
async function watched(settings, seen) {
  return App.at(world.issuer, {
    ...settings,
    fetch: async (...request) => {
      const answer = await fetch(...request)
      seen.push(answer.headers.get('x-replica'))
      return answer
    },
  })
}

/** The replicas that answered the browser's requests, in order. */
const answered = (browser) => browser.answers.map(({ headers }) => headers.get('x-replica')).filter(Boolean)

function alternate(seen) {
  seen.forEach((replica, at) => assert.ok(at === 0 || replica !== seen[at - 1], `each request meets the other replica: ${seen}`))
}

const ready = async (replica) => (await fetch(`${replica.admin}/readyz`)).status === 200

test('every step of a sign-in lands on another replica than the one before', async () => {
  const seen = []
  const app = await watched(apps.grafana, seen)
  seen.length = 0
  const browser = new Browser([APPS])
  const { url, checks } = await app.begin({ scope: 'openid profile groups offline_access', prompt: 'consent' })
  let page = await browser.open(url)
  page = await page.click('Log in', { login: 'alice' })
  if (!page.left) page = await page.click('Allow')
  assert.ok(page.left, `${page}`)
  const steps = answered(browser)
  assert.ok(steps.length >= 3, `authorization, callback, consent: ${steps}`)
  const tokens = await app.finish(page.url, checks)
  assert.equal((await app.userinfo(tokens)).preferred_username, 'alice')
  let token = tokens.refresh_token
  for (let turn = 0; turn < 4; turn += 1) token = (await app.refresh(token)).refresh_token
  alternate([...steps, ...seen])
  assert.equal(new Set([...steps, ...seen]).size, 2)
  assert.ok(seen.length >= 6, `token, userinfo and four refreshes: ${seen}`)

  const again = await app.begin()
  assert.ok((await browser.open(again.url)).left, 'the session is one at both')
})

test('what is used, revoked or signed out at one is so at the other, at once', async () => {
  const [a, b] = world.replicas
  const [atA, atB] = [await appAt(a), await appAt(b)]
  const { url, checks } = await atA.begin()
  const arrived = await new Browser([APPS]).signIn(url, { login: 'bob' })
  const tokens = await atA.finish(arrived.url, checks)
  assert.equal((await atB.introspect(tokens.access_token)).active, true)
  assert.equal(await refusal(atB.finish(arrived.url, checks)), 'invalid_grant', 'a code that was used at the other')
  assert.equal((await atA.introspect(tokens.access_token)).active, false, 'and its tokens are revoked (RFC 6749 §4.1.2)')
  assert.equal(await refusal(atA.refresh(tokens.refresh_token)), 'invalid_grant')

  const second = (await atB.signIn(new Browser([APPS]), { login: 'bob' })).tokens
  await atA.revoke(second.refresh_token)
  for (const app of [atB, atA]) {
    assert.equal((await app.introspect(second.access_token)).active, false)
    assert.equal(await refusal(app.refresh(second.refresh_token)), 'invalid_grant')
  }

  const third = await atB.signIn(new Browser([APPS]), { login: 'bob' })
  const ended = await run(['sessions', 'revoke', third.claims.sid, '--config', a.file, '--overlay', `${a.folder}/here.overlay.toml`])
  assert.equal(ended.code, 0, ended.stderr)
  assert.equal(await refusal(atB.refresh(third.tokens.refresh_token)), 'invalid_grant')
})

test('50 redemptions of one code at both replicas give tokens once', async () => {
  const both = await Promise.all(world.replicas.map((replica) => appAt(replica)))
  const { url, checks } = await both[0].begin()
  const page = await new Browser([APPS]).signIn(url, { login: 'alice' })
  const answers = await Promise.allSettled(Array.from({ length: 50 }, (_, at) => both[at % 2].finish(page.url, checks)))
  const won = answers.filter(({ status }) => status === 'fulfilled')
  assert.ok(won.length <= 1, `${won.length} redemptions`)
  for (const { reason } of answers.filter(({ status }) => status === 'rejected')) assert.equal(reason.error, 'invalid_grant', `${reason}`)
  for (const { value } of won) assert.equal(await refusal(both[1].refresh(value.refresh_token)), 'invalid_grant')
})

test('50 refreshes of one token at both replicas give one lineage', async () => {
  const both = await Promise.all(world.replicas.map((replica) => appAt(replica)))
  const { tokens } = await both[0].signIn(new Browser([APPS]), { login: 'alice' })
  const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => both[at % 2].refresh(tokens.refresh_token)))
  assert.equal(new Set(answers.map((answer) => answer.refresh_token)).size, 1, 'all of them got the same successor')
  assert.ok((await both[1].refresh(answers[0].refresh_token)).access_token)
})

test('a sign-out ends the session at both, and the app is told once', async () => {
  const [a, b] = world.replicas
  const app = await App.at(world.issuer, told)
  const gitlab = await appAt(undefined)
  const browser = new Browser([APPS])
  const { claims } = await app.signIn(browser, { login: 'bob' })
  const { tokens } = await gitlab.signIn(browser, { login: 'bob' })
  notices.length = 0
  let page = await browser.open(gitlab.endSession({ id_token_hint: tokens.id_token, post_logout_redirect_uri: bye('gitlab') }))
  if (page.has('[name=logout]')) page = await page.click('Log out')
  assert.ok(page.left, `${page}`)
  for (const replica of [a, b]) {
    assert.equal(await refusal((await appAt(replica)).refresh(tokens.refresh_token)), 'invalid_grant')
  }
  await until('the app is told', () => notices.length > 0)
  const { payload } = await jwtVerify(notices[0], createRemoteJWKSet(new URL(`http://127.0.0.1:${b.port}/oauth2/jwks`)), { issuer: world.issuer, audience: told.id })
  assert.deepEqual([payload.sid, payload.sub], [claims.sid, claims.sub])
  const { url } = await gitlab.begin({ prompt: 'none' })
  assert.equal((await browser.open(url)).url.searchParams.get('error'), 'login_required')
  assert.equal(notices.length, 1)
})

test('a rotation of the keys at one: tokens of both verify by the key set of either, at once, time after time', async () => {
  const [a, b] = world.replicas
  const used = new Set()
  const published = async (replica) => {
    const { keys } = await (await fetch(`http://127.0.0.1:${replica.port}/oauth2/jwks`)).json()
    return keys.map(({ kid }) => kid).sort().join()
  }
  for (let turn = 0; turn < 3; turn += 1) {
    // The key that signs after the next rotation is published by both long before.
    await until('both publish the next key', async () => (await published(a)) === (await published(b)), { within: 3_000 })
    // An app keeps a key set for a minute, in which nobody rotates the keys twice.
    const both = await Promise.all([a, b].map((replica) => appAt(replica)))
    for (const app of both) await app.signIn(new Browser([APPS]), { login: 'alice' })
    const rotator = [a, b][turn % 2]
    const rotated = await run(['keys', 'rotate', '--config', rotator.file, '--overlay', `${rotator.folder}/here.overlay.toml`])
    assert.equal(rotated.code, 0, rotated.stderr)
    for (const app of both) {
      const { tokens } = await app.signIn(new Browser([APPS]), { login: 'alice' })
      used.add(decodeProtectedHeader(tokens.access_token).kid)
      for (const replica of [a, b]) {
        const keys = createRemoteJWKSet(new URL(`http://127.0.0.1:${replica.port}${new URL(app.config.serverMetadata().jwks_uri).pathname}`))
        await jwtVerify(tokens.access_token, keys, { issuer: world.issuer })
        await jwtVerify(tokens.id_token, keys, { issuer: world.issuer })
      }
      for (const other of both) assert.equal((await other.introspect(tokens.access_token)).active, true, 'and each accepts it')
    }
  }
  assert.ok(used.size >= 3, `keys that signed: ${[...used]}`)
})

/**
 * Signs people in, `WORKERS` at a time, until `enough` of them are in and `during` has ended. An app does not repeat a token
 * request that failed: the person begins again. Returns what the apps got, and what failed.
 */
async function load(during, enough = 12) {
  const app = await appAt(undefined)
  const [done, failures] = [[], []]
  let over = false
  const worker = async (number) => {
    const login = number % 2 ? 'alice' : 'bob'
    while (!over || done.length < enough) {
      const { url, checks } = await app.begin()
      try {
        const arrived = await new Browser([APPS]).signIn(url, { login })
        const tokens = await app.finish(arrived.url, checks)
        done.push({ tokens, checks, url: arrived.url, at: performance.now() })
      } catch (error) {
        failures.push(error)
        assert.ok(failures.length < 100, `it never recovers: ${error.message}`)
      }
    }
  }
  const workers = Array.from({ length: WORKERS }, (_, number) => worker(number))
  try {
    await during(done)
  } finally {
    over = true
    await Promise.all(workers)
  }
  return { app, done, failures }
}

const more = (done, count) => {
  const target = done.length + count
  return until(`${count} more people are signed in`, () => done.length >= target, { within: 30_000 })
}

test('a new file is rolled out one replica at a time while people sign in: nothing fails', async () => {
  const next = `${world.file}
[clients.later]
client_secret = { file = "gitlab-secret" }
redirect_uris = ["${APPS}later/callback"]
`
  const hash = async (replica) => (await (await fetch(`${replica.admin}/status`)).json()).hash
  const { failures } = await load(async (done) => {
    await more(done, 2)
    for (const replica of world.replicas) {
      const old = await hash(replica)
      replica.save(next)
      await until('the new file is in force', async () => (await hash(replica)) !== old)
      await more(done, 4)
    }
  })
  assert.deepEqual(failures, [])
})

test('replicas are stopped and started one at a time while people sign in: nothing fails', async () => {
  const { failures } = await load(async (done) => {
    for (const replica of world.replicas) {
      await more(done, 2)
      assert.equal(await replica.stop(), 0)
      await more(done, 2)
      await replica.start()
    }
  })
  assert.deepEqual(failures, [])
})

test('a replica that is stopped leaves the logout tokens that an app did not accept to the other one, at once', async () => {
  const [a, b] = world.replicas
  await a.stop()
  a.save(world.file.replace('[server]', '[server]\nshutdown_grace = "1s"'))
  await a.start()
  const app = await App.at(world.issuer, told)
  const { tokens, claims } = await app.signIn(new Browser([APPS]), { login: 'bob' })
  notices.length = 0;
  [receiving, turnedAway] = [false, 0]
  try {
    const { status } = await world.at(a)(`${world.issuer}/oauth2/logout?${new URLSearchParams({ id_token_hint: tokens.id_token })}`)
    assert.equal(status, 200)
    await until('the app was asked', () => turnedAway > 0)
    assert.equal(await a.stop(), 0)
  } finally {
    receiving = true
  }
  // The next attempt is due within 5 seconds, and the other replica looks every 5; a killed replica's are left for a minute.
  await until('the app is told', () => notices.length > 0, { within: 20_000 })
  const { payload } = await jwtVerify(notices[0], createRemoteJWKSet(new URL(`http://127.0.0.1:${b.port}/oauth2/jwks`)), { issuer: world.issuer, audience: told.id })
  assert.equal(payload.sid, claims.sid)
  a.save(world.file)
  await a.start()
})

test('a replica is killed while people sign in: what it answered is there, and only what it held fails', async () => {
  const [a, b] = world.replicas
  const { app, done, failures } = await load(async (soFar) => {
    await more(soFar, 6)
    await a.stop('SIGKILL')
    await more(soFar, 6)
  })
  assert.ok(failures.length <= WORKERS, `${failures.length} failed: ${failures.map((error) => error.message).join('\n')}`)
  for (const { tokens } of done) {
    assert.equal((await app.introspect(tokens.access_token)).active, true)
    const next = await app.refresh(tokens.refresh_token)
    assert.equal(next.claims().sub, tokens.claims().sub)
  }
  await a.start()
  for (const [at, { url, checks }] of done.entries()) {
    const other = await appAt([a, b][at % 2])
    assert.equal(await refusal(other.finish(url, checks)), 'invalid_grant', 'a code that was used stays used')
  }
})

/** A request to each replica whose answer needs the store: `[status, Retry-After]`. */
const asked = (token) => Promise.all(world.replicas.map(async (replica) => {
  const form = new URLSearchParams({ client_id: 'gitlab', client_secret: apps.gitlab.secret, grant_type: 'refresh_token', refresh_token: token })
  const answer = await fetch(`http://127.0.0.1:${replica.port}/oauth2/token`, { method: 'POST', body: form })
  assert.equal((await answer.text()).includes('access_token'), answer.status === 200)
  return [answer.status, answer.headers.get('retry-after')]
}))

/** Both replicas say that they are away, and that they will be back. */
async function away(token) {
  for (const [status, later] of await asked(token)) {
    assert.equal(status, 503)
    assert.match(later ?? '', /^\d+$/)
  }
  assert.deepEqual(await Promise.all(world.replicas.map(ready)), [false, false])
  const page = await new Browser([APPS]).open((await (await appAtAny()).begin()).url)
  assert.equal(page.status, 503)
  assert.match(page.headers.get('retry-after') ?? '', /^\d+$/)
}

let any
const appAtAny = async () => (any ??= await appAt(undefined))

test('PostgreSQL is restarted: 503 with Retry-After meanwhile, then everything is as before', async () => {
  const app = await appAtAny()
  const browser = new Browser([APPS])
  const { tokens, claims } = await app.signIn(browser, { login: 'alice' })
  await primary.stop()
  await away(tokens.refresh_token)
  await primary.start({ synchronous_standby_names: '*' })
  await until('both replicas are ready again', async () => (await Promise.all(world.replicas.map(ready))).every(Boolean), RECOVERED)
  const next = await app.refresh(tokens.refresh_token)
  assert.equal(next.claims().sub, claims.sub)
  assert.ok((await browser.open((await app.begin()).url)).left, 'the session is there')
})

test('the primary is lost and the standby promoted: what was answered is there, and both replicas follow by themselves', async () => {
  const app = await appAtAny()
  await until('the standby follows', () => primary.followed())
  const browser = new Browser([APPS])
  const { tokens, claims } = await app.signIn(browser, { login: 'alice' })
  const revoked = (await app.signIn(new Browser([APPS]), { login: 'bob' })).tokens
  await app.revoke(revoked.refresh_token)
  await primary.stop('SIGKILL')
  await away(tokens.refresh_token)
  await standby.promote()
  await until('both replicas are ready again', async () => (await Promise.all(world.replicas.map(ready))).every(Boolean), RECOVERED)
  const next = await app.refresh(tokens.refresh_token)
  assert.equal(next.claims().sub, claims.sub)
  assert.equal(await refusal(app.refresh(revoked.refresh_token)), 'invalid_grant')
  assert.equal((await app.signIn(new Browser([APPS]), { login: 'alice' })).claims.sub, claims.sub)
  const verified = await run(['audit', 'verify', '--config', world.replicas[0].file, '--overlay', `${world.replicas[0].folder}/here.overlay.toml`])
  assert.equal(verified.code, 0, verified.stdout + verified.stderr)
})
