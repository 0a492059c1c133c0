// Kills the broker (and the database, if it is asked to) at random instants while people and apps use it, starts it again and
// checks it against what clients were told (`ledger.mjs`).
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { Broker, place, run } from './broker.mjs'
import { broker as brokerClient, startIdp } from './idp.mjs'
import { Ledger, randomness, Violation } from './ledger.mjs'
import { OldPostgres, OldSqlite } from './older.mjs'
import { Postgres } from './postgres.mjs'
import { until } from './until.mjs'
import { SECRETS, withoutPartner } from './world.mjs'

/** How many people and apps are at work at the same time. */
const WORKERS = 4
/** A kill comes after fewer than this many actions, and fewer than this many milliseconds into the last of them. */
const ACTIONS = 40
const INTO = 40
/** The last milliseconds before a crash of PostgreSQL of which what needs no durability may be lost, with what the crash takes. */
const MAY_BE_LOST = 5_000
/** Rows that are added to an older store, to make its migration take a while. */
const FILLERS = 20_000
/** The oldest SQLite schema that a store is taken back to: the first with an audit trail, which must survive too. */
const OLDEST = { OldSqlite: 7, OldPostgres: 1 }
/** After how many kills all accounts and the whole audit trail are checked; at the end everything is. */
const ROUNDS_BETWEEN_AUDITS = 25

/** The file of the broker; `variant` makes another one, for reloads. */
function toml(at, corp, store, variant) {
  return `${withoutPartner(at, corp)}
[store]
${store}
[limits]
per_address = { rate = "1000/s", burst = 1000 }
[session]
max_inactive = "12h"
[tokens]
authorization_code = "5m"
# A client that repeats a refresh after the restart must not be taken for a thief.
refresh_token = { reuse_grace = "1m" }
[clients.variant${variant}]
client_secret = { file = "gitlab-secret" }
redirect_uris = ["https://variant.example/callback"]
`
}

class Harness {
  static async start({ store, seed, database, spoil }) {
    const at = await place({ kept: true })
    const accounts = {}
    const corp = await startIdp({ name: 'corp', accounts, brokers: [brokerClient(at.issuer, 'corp')] })
    const harness = Object.assign(new Harness(), { random: randomness(seed), corp, spoil, database, kills: 0, databaseKills: 0, starts: 0, reloads: 0, migrated: 0, ofMigrations: 0, begun: 0, startTakes: 500 })
    try {
      if (store === 'postgres') {
        harness.postgres = await Postgres.make()
        await harness.postgres.start()
        await harness.postgres.createDatabase('countersign')
      }
      const url = harness.postgres && `url = "postgres://countersign@127.0.0.1:${harness.postgres.port}/countersign"\nencryption_keys = [{ file = "store-key" }]\n`
      harness.variants = [0, 1].map((variant) => toml(at, corp, url ?? '', variant))
      harness.broker = new Broker(at, harness.variants[0], { ...SECRETS, 'store-key': randomBytes(32).toString('base64') })
      harness.accounts = accounts
    } catch (error) {
      await harness.close()
      throw error
    }
    return harness
  }

  async close() {
    await this.broker?.stop('SIGKILL')
    if (this.broker) rmSync(this.broker.folder, { recursive: true, force: true })
    await this.postgres?.remove()
    await this.corp.close()
  }

  /** Some time into an action: when `after` have begun since the last start, or the broker was killed meanwhile. */
  async during(after) {
    await until('something is done', () => this.killed || this.begun > after, { within: 60_000, every: 1 })
    await sleep(this.random.next() * INTO)
  }

  async kill() {
    this.killed = true
    await this.broker.stop('SIGKILL')
    this.spoil?.(this.broker)
    this.kills += 1
  }

  /** Ends the server without a checkpoint, which is a crash to it: it recovers from its log. */
  async killDatabase() {
    [this.killed, this.databaseAway] = [true, true]
    await this.postgres.stop('SIGQUIT')
    this.kills += 1
    this.databaseKills += 1
  }

  /** Starts the server again; the broker finds it by itself. */
  async databaseUp(ledger) {
    const lost = performance.now() - MAY_BE_LOST
    await this.postgres.start()
    await until('the broker is ready again', async () => (await fetch(`${this.broker.admin}/readyz`)).ok, { within: 30_000 })
    // docs/postgresql.md: sign-ins and codes that were not redeemed yet do not wait for the server's disk.
    ledger.grants = ledger.grants.filter(({ state, pending, at }) => state !== 'code' || pending || at < lost)
    ledger.atIdp = ledger.atIdp.filter(({ at }) => at < lost);
    [this.killed, this.databaseAway] = [false, false]
  }

  /** Launches the process and kills it soon: while it reads its file, opens or makes the store, or begins to serve. */
  async killAtStart() {
    const starting = this.broker.start().catch(() => {})
    await sleep(this.random.next() * 1.2 * this.startTakes)
    await this.kill()
    await starting
    this.starts += 1
  }

  /** Starts the broker for good, and waits until it is ready. */
  async up() {
    if (/panicked|store_damaged/.test(this.broker.log)) throw new Violation('the log tells of a panic or a damaged store')
    this.broker.log = ''
    const launched = performance.now()
    await this.broker.start().catch((error) => { throw new Violation(`it does not start: ${error.message}`) })
    this.startTakes = performance.now() - launched
    await until('the broker is ready', async () => (await fetch(`${this.broker.admin}/readyz`)).ok, { within: 20_000 })
    this.killed = false
  }

  /** The store as it is before the first start, with or without what a killed first start has left. */
  async empty() {
    rmSync(join(this.broker.folder, 'state'), { recursive: true, force: true })
    await this.postgres?.sql('DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION countersign', 'countersign')
  }

  /** Kills first starts, which make the whole schema and the keys; the start that is not killed goes on with what is there. */
  async firstStarts(count) {
    while (this.kills < count) {
      await this.empty()
      do await this.killAtStart(); while (this.kills < count && this.random.chance(0.5))
      await this.up()
      const ledger = await Ledger.of(this.broker, this.accounts)
      await ledger.redeem(await ledger.arrive(await ledger.begin(this.random)))
      await ledger.verifyTokens(ledger.fresh)
      await this.broker.stop()
    }
    await this.empty()
  }

  /**
   * Kills starts that migrate the store, which is taken back to an older schema with all that is in it; the start that is not
   * killed ends what they have begun. What clients were told before must hold then.
   */
  async migrations(ledger, count) {
    const store = this.postgres ? new OldPostgres(this.postgres, 'countersign') : new OldSqlite(join(this.broker.folder, 'state/broker.db'))
    const oldest = OLDEST[store.constructor.name]
    for (const last = this.kills + count; this.kills < last;) {
      const kept = ledger.fresh.concat(await this.someGrants(ledger))
      await this.broker.stop()
      const [, newest] = await store.versions()
      await store.rewrite(oldest + this.random.below(newest - oldest), FILLERS)
      this.migrated += 1
      do {
        await (this.random.chance(0.5) ? store.heldUp(() => this.killAtStart()) : this.killAtStart())
        if ((await store.versions())[0] === newest) break
        this.ofMigrations += 1
      } while (this.kills < last)
      await this.up()
      const [found] = await store.versions()
      if (found !== newest) throw new Violation(`the schema is ${found} after a start that was not killed`)
      await ledger.verifyTokens(kept)
      await this.check(ledger)
      await this.checkAll(ledger)
    }
  }

  /** Signs people in, and returns the tokens that some of their apps have. */
  async someGrants(ledger) {
    for (let n = 0; n < 3; n += 1) await ledger.redeem(await ledger.arrive(await ledger.begin(this.random)))
    ledger.atIdp.push(await ledger.begin(this.random))
    await ledger.arrive(await ledger.begin(this.random))
    return ledger.some(this.random, 'live', 20).flatMap(({ access, id }) => [access, id])
  }

  /** One person or app: does this and that until the broker or the database is killed. */
  async work(ledger) {
    const { random } = this
    const free = ({ busy, pending }) => !busy && !pending
    const holding = async (grants, action) => {
      for (const grant of grants) grant.busy = true
      try {
        await action()
      } finally {
        for (const grant of grants) grant.busy = false
      }
    }
    const fresh = () => ledger.begin(random)
    const actions = {
      async signIn() {
        const there = await fresh()
        if (random.chance(0.1)) ledger.atIdp.push(there)
        else {
          const grant = await ledger.arrive(there)
          if (random.chance(0.9)) await holding([grant], () => (random.chance(0.1) ? ledger.race(grant) : ledger.redeem(grant)))
        }
      },
      async again() {
        const [grant] = ledger.some(random, 'live', 1)
        if (grant && !grant.session.ending) await holding([grant], () => ledger.single(grant.session))
      },
      async redeem() {
        const [grant] = ledger.some(random, 'code', 1)
        if (grant) await holding([grant], () => ledger.redeem(grant))
      },
      async refresh() {
        const [grant] = ledger.some(random, 'live', 1)
        if (grant) await holding([grant], () => ledger.refresh(grant, random.chance(0.2) ? 2 : 1))
      },
      async introspect() {
        const [grant] = ledger.some(random, 'live', 1)
        if (grant) await holding([grant], () => ledger.introspect(grant))
      },
      async end() {
        const [grant] = ledger.some(random, 'live', 1)
        if (grant) await holding([grant], () => (random.chance(0.5) ? ledger.revoke(grant) : ledger.replay(grant)))
      },
      async signOut() {
        const [grant] = ledger.some(random, 'live', 1)
        if (!grant) return
        const all = ledger.grants.filter(({ session, state }) => session === grant.session && state !== 'dead')
        if (all.every(free)) await holding(all, () => ledger.signOut(grant))
      },
    }
    const often = ['signIn', 'signIn', 'signIn', 'redeem', 'refresh', 'refresh', 'refresh', 'introspect', 'again', 'end', 'signOut']
    while (!this.killed) {
      this.begun += 1
      try {
        await actions[random.pick(often)]()
      } catch (error) {
        // Only a request that met the kill may go unanswered.
        if (this.killed && !(error instanceof Violation)) return
        this.killed = true
        throw error instanceof Violation ? error : new Violation(`unanswered though nothing was killed: ${error.stack}`)
      }
    }
  }

  /** What an administrator does meanwhile. */
  async administer(ledger) {
    const { random } = this
    await this.during(random.below(ACTIONS))
    if (this.killed) return
    if (random.chance(0.3)) {
      this.reloads += 1
      this.broker.save(this.variants[this.reloads % 2])
    }
    if (random.chance(0.15)) await ledger.rotateKeys().catch((error) => { if (!this.killed) throw error })
  }

  /** What must hold after a restart: everything that was under way, and some of everything else. */
  async check(ledger) {
    const { random } = this
    ledger.grants = ledger.grants.filter(({ state, at }) => state !== 'code' || performance.now() - at < 240_000)
    ledger.atIdp = ledger.atIdp.filter(({ at }) => performance.now() - at < 400_000)
    await ledger.verifyTokens(ledger.fresh.splice(0))
    for (const grant of ledger.grants.filter(({ pending }) => pending)) await ledger.settle(grant)
    for (const grant of ledger.some(random, 'live', 4)) await ledger.stillLive(grant)
    for (const grant of ledger.some(random, 'dead', 3)) await ledger.stillDead(grant)
    const [session] = ledger.some(random, 'live', 1).map((grant) => grant.session).filter(({ ending }) => !ending)
    if (session) await ledger.single(session)
    for (const grant of ledger.some(random, 'code', 2)) await ledger.redeem(grant)
    for (const there of ledger.atIdp.splice(0, 1)) await ledger.arrive(there)
  }

  async checkAll(ledger) {
    await ledger.verifyUsers()
    const { code, stdout, stderr } = await run(['audit', 'verify', '--config', this.broker.file], { within: 300_000 })
    if (code !== 0) throw new Violation(`audit verify: ${stdout}${stderr}`)
  }

  /** Until `count` kills, or until `ended`: start, check, work, kill. */
  async rounds(ledger, { count, ended, say }) {
    for (let round = 1; this.kills < count && !ended(); round += 1) {
      this.begun = 0
      const workers = [...Array.from({ length: WORKERS }, () => this.work(ledger)), this.administer(ledger)]
      const working = Promise.allSettled(workers)
      await this.during(this.random.below(ACTIONS))
      const database = this.database && this.random.chance(0.5)
      await (database ? this.killDatabase() : this.kill())
      for (const { reason } of await working) if (reason) throw reason
      if (database) await this.databaseUp(ledger)
      else {
        while (this.kills < count && this.random.chance(0.2)) await this.killAtStart()
        await this.up()
      }
      await this.check(ledger)
      if (round % ROUNDS_BETWEEN_AUDITS === 0) {
        await this.checkAll(ledger)
        say(`${this.kills} kills`)
      }
    }
  }
}

/**
 * Kills the broker `count` times: a tenth of them at first starts, on an empty store, and a tenth, at the end, at starts that
 * migrate an older store. With `database`, half of the other kills hit PostgreSQL. Ends early when `ended` says so. Returns
 * counts of what was done and checked, or fails with the first violation. `spoil` is given the broker after each kill: what it
 * does must be noticed.
 */
export async function kills({ count, store, seed = randomBytes(4).readUInt32LE(), say = () => {}, ended = () => false, database = false, spoil }) {
  const began = performance.now()
  const harness = await Harness.start({ store, seed, database, spoil })
  try {
    await harness.firstStarts(Math.ceil(count / 10))
    const first = harness.kills
    await harness.up()
    const ledger = await Ledger.of(harness.broker, harness.accounts, () => harness.databaseAway)
    const migrating = Math.ceil(count / 10)
    await harness.rounds(ledger, { count: count - migrating, ended, say })
    if (!ended()) await harness.migrations(ledger, count - harness.kills)
    await ledger.verifyTokens(ledger.fresh.splice(0))
    for (const grant of ledger.grants.filter(({ state }) => state === 'live')) await ledger.stillLive(grant)
    for (const grant of ledger.grants.filter(({ state }) => state === 'dead')) await ledger.stillDead(grant)
    await harness.checkAll(ledger)
    return {
      store, seed, kills: harness.kills, 'of first starts': first,
      'of later starts': harness.starts - first, 'of them before a migration was complete': harness.ofMigrations, 'stores migrated': harness.migrated,
      ...(database ? { 'of PostgreSQL': harness.databaseKills } : {}),
      reloads: harness.reloads, people: ledger.subjects.size, ...ledger.counts, seconds: Math.round((performance.now() - began) / 1000),
    }
  } catch (error) {
    throw new Error(`seed ${seed}, ${store}, after ${harness.kills} kills: ${error.message}\n${harness.broker.log.slice(-4000)}`, { cause: error })
  } finally {
    await harness.close()
  }
}
