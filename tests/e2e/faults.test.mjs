// Faults below and around the broker: its disk, its database, the network to it, the clock. Each time: 503 in bounded time and
// no token out while it lasts, recovery by itself afterwards, and what was used or revoked stays so.
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'

import { App, decodeJwt, refusal } from './support/app.mjs'
import { Broker, folder, place } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { broker as brokerClient, startIdp } from './support/idp.mjs'
import { network } from './support/net.mjs'
import { Postgres } from './support/postgres.mjs'
import { startReplicas } from './support/replicas.mjs'
import { until } from './support/until.mjs'
import { APPS, apps, people, SECRETS, withoutPartner } from './support/world.mjs'

/** How long an answer may take while a fault lasts. */
const BOUND = 15_000
/** How soon the broker serves again by itself. */
const RECOVERED = { within: 20_000 }

/** What the tests have started, in the order in which it was. */
const started = []
after(async () => {
  for (const close of started.reverse()) await close()
})

/** A broker with SQLite, started by the command `by`; `toml` is appended to its file. */
async function one(by, toml) {
  const at = await place()
  const corp = await startIdp({ name: 'corp', accounts: people().corp, brokers: [brokerClient(at.issuer, 'corp')] })
  started.push(() => corp.close())
  const broker = new Broker(at, `${withoutPartner(at, corp)}\n${toml}`, SECRETS)
  broker.by = by
  started.push(() => broker.stop('SIGKILL'))
  await broker.start()
  return { broker, app: await App.at(at.issuer, apps.gitlab) }
}

const signIn = (app, login = 'alice') => app.signIn(new Browser([APPS]), { login })

const ready = async (broker) => (await fetch(`${broker.admin}/readyz`)).status === 200

/** A refresh at this broker: its status, its body, and how long it took. */
async function refresh(broker, token) {
  const began = performance.now()
  const form = new URLSearchParams({ client_id: 'gitlab', client_secret: apps.gitlab.secret, grant_type: 'refresh_token', refresh_token: token })
  const answer = await fetch(`http://127.0.0.1:${broker.port}/oauth2/token`, { method: 'POST', body: form })
  return { status: answer.status, later: answer.headers.get('retry-after'), body: await answer.text(), took: performance.now() - began }
}

/** An answer that refuses with 503, says when to come back, and lets no token out. */
function away503(answer) {
  assert.equal(answer.status, 503, answer.body)
  assert.match(answer.later ?? '', /^\d+$/)
  assert.doesNotMatch(answer.body, /token"/)
  assert.ok(answer.took < BOUND, `${answer.took} ms`)
}

/** Apps are refused so, and people see a page. */
async function away(broker, app, token) {
  away503(await refresh(broker, token))
  const began = performance.now()
  const url = String((await app.begin()).url).replace(new URL(app.issuer).host, `127.0.0.1:${broker.port}`)
  const page = await new Browser([APPS]).open(url)
  assert.equal(page.status, 503, `${page}`)
  assert.match(page.headers.get('retry-after') ?? '', /^\d+$/)
  assert.ok(performance.now() - began < BOUND)
}

const recovered = (broker, app) => until('people sign in again', async () => (await ready(broker)) && signIn(app), RECOVERED)

// Some containers permit no mounts; tests/run says so, and names what was left out.
const disk = process.env.COUNTERSIGN_TEST_WITHOUT_SMALL_DISK ? undefined : folder()

/** How a mount namespace is made and entered: as root, or where only that is permitted, as root of a user namespace. */
const NAMESPACES = [
  { make: ['--mount'], enter: ['-m'] },
  { make: ['--user', '--map-root-user', '--mount'], enter: ['-U', '--preserve-credentials', '-m'] },
]
const permitted = ({ make }) => spawnSync('unshare', [...make, 'true']).status === 0

/**
 * A broker whose store is alone on a disk of 24 MiB, which only its process and those that `inside` runs can see. `seen` is the
 * disk from outside.
 */
async function onSmallDisk() {
  const state = join(disk, randomBytes(4).toString('hex'))
  mkdirSync(state)
  const { make, enter } = NAMESPACES.find(permitted) ?? NAMESPACES[0]
  const keeper = spawn('unshare', [...make, 'sh', '-c', `mount -t tmpfs -o size=24m none "${state}" && echo mounted && exec cat`], { stdio: ['pipe', 'pipe', 'inherit'] })
  started.push(() => keeper.kill('SIGKILL'))
  await new Promise((done, fail) => { keeper.stdout.once('data', done); keeper.once('exit', () => fail(new Error('no disk can be mounted here'))) })
  const by = ['nsenter', '-t', String(keeper.pid), ...enter]
  const inside = (...command) => execFileSync(by[0], [...by.slice(1), ...command])
  const { broker, app } = await one(by, `[store]\nurl = "sqlite:${state}/broker.db"\n`)
  return { broker, app, state, inside, seen: join('/proc', String(keeper.pid), 'root', state) }
}

if (disk) {
  test('another program fills the disk: tokens that work, or 503 and none; and recovery when there is room', async () => {
    const { broker, app, seen } = await onSmallDisk()
    let token = (await signIn(app)).tokens.refresh_token
    const other = join(seen, 'of-another-program')
    const fill = () => {
      try {
        for (;;) writeFileSync(other, Buffer.alloc(4096), { flag: 'a' })
      } catch (error) {
        assert.equal(error.code, 'ENOSPC')
      }
    }
    // The broker still writes where its log has room, and gives its reserve up, which the other program uses as well.
    let refused = 0
    await until('the disk is full', async () => {
      fill()
      const answer = await refresh(broker, token)
      if (answer.status === 200) token = JSON.parse(answer.body).refresh_token
      else away503(answer)
      refused = answer.status === 503 ? refused + 1 : 0
      return refused === 3
    }, { within: 30_000, every: 1 })
    const page = await new Browser([APPS]).open((await app.begin()).url)
    assert.ok(page.status === 503 || page.has('input[name=login]'), `${page}`)
    truncateSync(other)
    await recovered(broker, app)
    assert.equal((await refresh(broker, token)).status, 200, 'the last token that was answered')
  })

  test('the broker starts on a read-only file system: 503, no token, and recovery when it is writable', async () => {
    const { broker, app, state, inside } = await onSmallDisk()
    const { tokens } = await signIn(app)
    await broker.stop('SIGKILL')
    inside('mount', '-o', 'remount,ro', state)
    await broker.start()
    await away(broker, app, tokens.refresh_token)
    assert.equal(await ready(broker), false)
    inside('mount', '-o', 'remount,rw', state)
    await recovered(broker, app)
    assert.equal((await refresh(broker, tokens.refresh_token)).status, 200)
  })
}

test('another process holds the lock of the store: 503 in bounded time, and recovery when it lets go', async () => {
  const { broker, app } = await one([], '')
  const { tokens } = await signIn(app)
  const script = 'import sqlite3, sys\nstore = sqlite3.connect(sys.argv[1], isolation_level=None)\nstore.execute("BEGIN EXCLUSIVE")\nprint("held", flush=True)\nsys.stdin.read()\n'
  const holder = spawn('python3', ['-c', script, join(broker.folder, 'state/broker.db')], { stdio: ['pipe', 'pipe', 'inherit'] })
  const gone = new Promise((done) => holder.once('exit', done))
  started.push(() => holder.kill('SIGKILL'))
  await new Promise((held) => holder.stdout.once('data', held))
  await away(broker, app, tokens.refresh_token)
  holder.stdin.end()
  await gone
  await recovered(broker, app)
  assert.equal((await refresh(broker, tokens.refresh_token)).status, 200)
})

test('the clock steps an hour in either direction: nothing comes back to life, and nobody is locked out for good', async () => {
  const offset = join(folder({ offset: '+0' }), 'offset')
  const [library] = readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/faketime/libfaketimeMT.so.1`).filter(existsSync)
  const fake = [`LD_PRELOAD=${library}`, `FAKETIME_TIMESTAMP_FILE=${offset}`, 'FAKETIME_NO_CACHE=1', 'FAKETIME_DONT_FAKE_MONOTONIC=1']
  const { broker, app } = await one(['env', ...fake], '[session]\nmax_inactive = "12h"\n')
  const { url, checks } = await app.begin()
  const page = await new Browser([APPS]).signIn(url, { login: 'alice' })
  const used = await app.finish(page.url, checks)
  assert.equal(await refusal(app.finish(page.url, checks)), 'invalid_grant')
  const revoked = (await signIn(app)).tokens
  await app.revoke(revoked.refresh_token)
  const live = await signIn(app)
  let token = live.tokens.refresh_token
  for (const seconds of [3600, 0, -3600, 0]) {
    writeFileSync(offset, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}`)
    assert.equal(await refusal(app.finish(page.url, checks)), 'invalid_grant', 'a used code')
    assert.equal(await refusal(app.refresh(used.refresh_token)), 'invalid_grant', 'its family')
    assert.equal(await refusal(app.refresh(revoked.refresh_token)), 'invalid_grant', 'a revoked family')
    for (const dead of [used, revoked]) assert.equal((await app.introspect(dead.access_token)).active, false)
    const answer = await refresh(broker, token)
    assert.equal(answer.status, 200, `a live session, at ${seconds}: ${answer.body}`)
    const next = JSON.parse(answer.body)
    token = next.refresh_token
    assert.ok(Math.abs(decodeJwt(next.access_token).iat - Date.now() / 1000 - seconds) < 60, 'the broker has the new time')
    // While the clocks of provider and broker differ by an hour, the provider's tokens are not accepted (OIDC Core §3.1.3.7).
    if (seconds === 0) assert.equal((await signIn(app)).claims.sub, live.claims.sub)
  }
})

test('the network to PostgreSQL is slow, then too slow, then gone for one replica: bounded answers, and the other serves', async () => {
  const server = await Postgres.make()
  started.push(() => server.remove())
  await server.start()
  await server.createDatabase('countersign')
  const between = [await network(server.port), await network(server.port)]
  started.push(async () => { for (const each of between) await each.close() })
  const url = ({ port }) => `postgres://countersign@127.0.0.1:${port}/countersign?statement_timeout=1000&connect_timeout=2`
  const world = await startReplicas(between.map(url))
  started.push(() => world.close())
  const [a, b] = world.replicas
  const at = (replica) => App.at(world.issuer, { ...apps.gitlab, fetch: world.at(replica) })
  const [atA, atB] = [await at(a), await at(b)]
  const first = await signIn(atA)

  between[0].slow(100)
  assert.equal((await signIn(atA)).claims.sub, first.claims.sub, 'slow is not away')

  between[0].slow(4_000)
  await away(a, atA, first.tokens.refresh_token)
  assert.equal((await atB.introspect(first.tokens.access_token)).active, true, 'the other is not affected')
  between[0].pass()
  await until('the first is ready again', () => ready(a), RECOVERED)

  // A code is presented to a replica that can't say whether its redemption was stored.
  const { url: begin, checks } = await atB.begin()
  const page = await new Browser([APPS]).signIn(begin, { login: 'alice' })
  const second = await signIn(atB, 'bob')
  between[0].stop()
  const lost = refusal(atA.finish(page.url, checks))
  await away(a, atA, second.tokens.refresh_token)
  assert.notEqual(await lost, 'not refused')
  assert.equal(await ready(a), false)
  const next = await atB.refresh(second.tokens.refresh_token)
  assert.equal(next.claims().sub, second.claims.sub, 'the other serves meanwhile')
  await atB.revoke(next.refresh_token)
  between[0].pass()
  await until('the first is ready again', () => ready(a), RECOVERED)
  assert.equal(await refusal(atA.refresh(next.refresh_token)), 'invalid_grant', 'what the other revoked meanwhile')
  // The client presents its code again, wherever: it has tokens once, or not at all.
  const answers = await Promise.all([refusal(atA.finish(page.url, checks)), refusal(atB.finish(page.url, checks))])
  assert.ok(answers.filter((answer) => answer === 'not refused').length <= 1, `${answers}`)
  assert.equal((await signIn(atA)).claims.sub, first.claims.sub)
})
