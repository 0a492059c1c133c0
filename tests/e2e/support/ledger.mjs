// What a client was told: its own record of accounts, sessions, codes and tokens, against which the broker is checked after it
// was killed. What was answered must hold; what was under way may have happened or not, but then for good.
import http from 'node:http'
import { text } from 'node:stream/consumers'

import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose'

import { App } from './app.mjs'
import { Browser } from './browser.mjs'
import { APPS, apps } from './world.mjs'

/** The broker did something that it must not do. */
export class Violation extends Error {}

/** A reproducible stream of numbers below 1 (mulberry32). */
export function randomness(seed) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    next,
    below: (limit) => Math.floor(next() * limit),
    chance: (probability) => next() < probability,
    pick: (list) => list[Math.floor(next() * list.length)],
  }
}

/** One request on a connection of its own: connections that a killed process leaves behind would fail later requests. */
async function send(url, { form, method = form ? 'POST' : 'GET', json } = {}) {
  const body = form ? new URLSearchParams(form).toString() : json && JSON.stringify(json)
  const type = form ? 'application/x-www-form-urlencoded' : 'application/json'
  const request = http.request(url, { method, agent: false, timeout: 30_000, headers: body ? { 'content-type': type, 'content-length': Buffer.byteLength(body) } : {} })
  request.once('timeout', () => request.destroy(new Error(`no answer within 30 s: ${url}`)))
  const answered = new Promise((resolve, reject) => { request.once('response', resolve).once('error', reject) })
  request.end(body)
  const response = await answered
  const answer = { status: response.statusCode, body: await text(response) }
  // A response that broke off was not answered.
  if (!response.complete) throw new Error('the response broke off')
  return answer
}

const parsed = (answer) => ({ status: answer.status, body: answer.body.startsWith('{') ? JSON.parse(answer.body) : {} })

/**
 * `broker` is the process, with its addresses; `accounts` are the people at the IdP, to whom new ones are added; `away` says
 * whether the database was killed, so that 503 is the right answer, and leaves open what became of the request.
 */
export class Ledger {
  static async of(broker, accounts, away = () => false) {
    const app = await App.at(broker.issuer, apps.gitlab)
    return Object.assign(new Ledger(), {
      broker, accounts, app, away,
      /** The `sub` that each person was shown. */
      subjects: new Map(),
      /** People who have begun to sign in. */
      known: [],
      /** Grants, each from one code: `{ session, code, checks, state: 'code' | 'live' | 'dead', refresh, pending, at }`. */
      grants: [],
      /** Sign-ins whose person is at the IdP. */
      atIdp: [],
      /** Tokens that were issued since they were last verified, and all. */
      fresh: [], all: [],
      counts: {},
    })
  }

  count(what) {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  /** A request to the broker. */
  async ask(url, request) {
    const answer = await send(url, request)
    if (answer.status === 503 && this.away()) throw new Error('the database is away')
    return answer
  }

  async token(form) {
    return parsed(await this.ask(`${this.broker.issuer}/oauth2/token`, { form: { client_id: apps.gitlab.id, client_secret: apps.gitlab.secret, ...form } }))
  }

  exchange(grant) {
    return this.token({ grant_type: 'authorization_code', code: grant.code, redirect_uri: apps.gitlab.redirectUri, code_verifier: grant.checks.pkceCodeVerifier })
  }

  /** The refresh request whose token the client holds. */
  renew(grant) {
    return this.token({ grant_type: 'refresh_token', refresh_token: grant.refresh })
  }

  // --- what clients and people do ---

  async begin(random) {
    let login = random.pick(this.known)
    if (!login || random.chance(0.3)) {
      login = `person${this.known.length}`
      this.accounts[login] = { sub: `idp-${this.known.length}`, preferred_username: login, name: login, email: `${login}@corp.example`, email_verified: true, groups: ['staff'] }
      this.known.push(login)
    }
    const session = { login, browser: new Browser([APPS]), dead: false }
    const { url, checks } = await this.app.begin()
    const page = await session.browser.open(url)
    this.served(page)
    if (!page.has('input[name=login]')) throw new Violation(`no way to the IdP: ${page}`)
    return { session, checks, page, at: performance.now() }
  }

  async arrive({ session, checks, page }) {
    const back = await page.click('Log in', { login: session.login })
    this.count('sign-ins')
    return this.arrived(session, checks, back)
  }

  served(page) {
    if (page.status === 503 && this.away()) throw new Error('the database is away')
  }

  arrived(session, checks, page) {
    this.served(page)
    const code = page.left && page.url.searchParams.get('code')
    if (!code || page.url.searchParams.get('state') !== checks.expectedState) throw new Violation(`the sign-in stops at ${page}`)
    const grant = { session, code, checks, state: 'code', at: performance.now() }
    this.grants.push(grant)
    return grant
  }

  async single(session) {
    const { url, checks } = await this.app.begin({ prompt: 'none' })
    return this.arrived(session, checks, await session.browser.open(url))
  }

  async redeem(grant) {
    grant.pending = 'redeem'
    const answer = await this.exchange(grant)
    grant.pending = undefined
    if (answer.status !== 200) throw new Violation(`a code that was issued is refused: ${JSON.stringify(answer)}`)
    this.issued(grant, answer.body)
    this.count('redemptions')
  }

  issued(grant, { access_token: access, id_token: id, refresh_token: refresh }) {
    const { login } = grant.session
    const { sub } = decodeJwt(id)
    const before = this.subjects.get(login) ?? sub
    if (before !== sub) throw new Violation(`${login} was ${before} and is ${sub}`)
    this.subjects.set(login, sub)
    Object.assign(grant, { state: 'live', access, id, refresh })
    this.fresh.push(access, id)
  }

  async refresh(grant, times = 1) {
    grant.pending = 'refresh'
    const answers = await Promise.all(Array.from({ length: times }, () => this.renew(grant)))
    grant.pending = undefined
    for (const answer of answers) if (answer.status !== 200) throw new Violation(`a live refresh token is refused: ${JSON.stringify(answer)}`)
    if (new Set(answers.map(({ body }) => body.refresh_token)).size !== 1) throw new Violation('two successors of one refresh token')
    this.issued(grant, answers[0].body)
    this.count('refreshes')
  }

  async revoke(grant) {
    grant.pending = 'end'
    const { status } = await this.ask(`${this.broker.issuer}/oauth2/revoke`, { form: { client_id: apps.gitlab.id, client_secret: apps.gitlab.secret, token: grant.refresh } })
    grant.pending = undefined
    if (status !== 200) throw new Violation(`a revocation is answered with ${status}`)
    grant.state = 'dead'
    this.count('revocations')
  }

  async replay(grant) {
    grant.pending = 'end'
    const answer = await this.exchange(grant)
    grant.pending = undefined
    if (answer.body.error !== 'invalid_grant') throw new Violation(`a used code is answered with ${JSON.stringify(answer)}`)
    grant.state = 'dead'
    this.count('replays')
  }

  /** Two redemptions at the same time. */
  async race(grant) {
    Object.assign(grant, { pending: 'race', won: 0 })
    const once = async () => {
      const answer = await this.exchange(grant)
      if (answer.status === 200) {
        grant.won += 1
        this.issued(grant, answer.body)
      } else if (answer.body.error !== 'invalid_grant') throw new Violation(`a raced code is answered with ${JSON.stringify(answer)}`)
    }
    const ends = await Promise.allSettled([once(), once()])
    if (grant.won > 1) throw new Violation('a code was redeemed twice')
    const failed = ends.find(({ status }) => status === 'rejected')
    if (failed) throw failed.reason
    Object.assign(grant, { pending: undefined, state: 'dead' })
    this.count('races')
  }

  async signOut(grant) {
    const together = this.grants.filter(({ session, state }) => session === grant.session && state !== 'dead')
    for (const each of together) each.pending = each.state === 'code' ? 'redeem or end' : 'end'
    grant.session.ending = true
    const { status } = await this.ask(`${this.broker.issuer}/oauth2/logout?${new URLSearchParams({ id_token_hint: grant.id })}`)
    if (status >= 400) throw new Violation(`a sign-out is answered with ${status}`)
    grant.session.dead = true
    for (const each of together) Object.assign(each, { pending: undefined, state: 'dead' })
    this.count('sign-outs')
  }

  async introspect(grant) {
    const { body } = parsed(await this.ask(`${this.broker.issuer}/oauth2/introspect`, { form: { client_id: apps.gitlab.id, client_secret: apps.gitlab.secret, token: grant.access } }))
    if (body.active !== (grant.state === 'live')) throw new Violation(`a token that is ${grant.state} is introspected as ${JSON.stringify(body)}`)
    this.count('introspections')
  }

  async rotateKeys() {
    const { status } = await this.ask(`${this.broker.admin}/api/keys/rotate`, { method: 'POST', json: {} })
    if (status !== 200) throw new Violation(`a rotation is answered with ${status}`)
    this.count('key rotations')
  }

  // --- what must hold after a restart ---

  /** Finds out what became of a grant whose last request was not answered. */
  async settle(grant) {
    const { pending } = grant
    grant.pending = undefined
    this.count(`unanswered: ${pending}`)
    if (pending === 'refresh') {
      // The client repeats the request: its token works, or yields the successor that it was not told.
      await this.refresh(grant)
    } else if (pending === 'end') {
      const answer = await this.renew(grant)
      if (answer.status === 200) this.issued(grant, answer.body)
      else this.refused(grant, answer)
    } else {
      const answer = await this.exchange(grant)
      if (answer.status === 200 && grant.won) throw new Violation('a code was redeemed twice')
      if (answer.status === 200) this.issued(grant, answer.body)
      else this.refused(grant, answer)
    }
  }

  refused(grant, answer) {
    if (answer.body.error !== 'invalid_grant') throw new Violation(`neither tokens nor invalid_grant: ${JSON.stringify(answer)}`)
    grant.state = 'dead'
  }

  async stillLive(grant) {
    await this.introspect(grant)
    await this.refresh(grant)
    this.count('live grants checked')
  }

  async stillDead(grant) {
    if (grant.refresh) {
      const answer = await this.renew(grant)
      if (answer.body.error !== 'invalid_grant') throw new Violation(`what was revoked is answered with ${JSON.stringify(answer)}`)
      await this.introspect(grant)
    }
    const answer = await this.exchange(grant)
    if (answer.body.error !== 'invalid_grant') throw new Violation(`a used code is answered with ${JSON.stringify(answer)}`)
    this.count('dead grants checked')
  }

  /** Every token that was issued verifies by the published key set, as an API would verify it. */
  async verifyTokens(tokens) {
    const { status, body } = await this.ask(`${this.broker.issuer}/oauth2/jwks`)
    if (status !== 200) throw new Violation(`no key set: ${status}`)
    const keys = createLocalJWKSet(JSON.parse(body))
    for (const token of tokens) {
      await jwtVerify(token, keys, { issuer: this.broker.issuer }).catch((error) => {
        if (error.code !== 'ERR_JWT_EXPIRED') throw new Violation(`a token that was issued does not verify: ${error.message}`)
      })
      this.count('tokens verified')
    }
  }

  /** Nobody has two accounts, and everybody still has the `sub` that clients were told. */
  async verifyUsers() {
    const found = new Map()
    for (let after = ''; after !== undefined;) {
      const { body } = parsed(await this.ask(`${this.broker.admin}/api/users?${new URLSearchParams({ after, limit: '1000' })}`))
      for (const { username, sub } of body.users) {
        if (found.has(username)) throw new Violation(`${username} has two accounts`)
        found.set(username, sub)
      }
      after = body.next ?? undefined
    }
    for (const [login, sub] of this.subjects) if (found.get(login) !== sub) throw new Violation(`${login} was ${sub} and is ${found.get(login)}`)
    if (found.size > this.known.length) throw new Violation(`${found.size} accounts of ${this.known.length} people`)
    if (new Set(found.values()).size !== found.size) throw new Violation('two accounts with one sub')
  }

  /** A few grants in this state whose sessions nobody is ending. */
  some(random, state, most) {
    const all = this.grants.filter((grant) => grant.state === state && !grant.pending && !grant.busy)
    return Array.from({ length: Math.min(most, all.length) }, () => random.pick(all)).filter((grant, at, list) => list.indexOf(grant) === at)
  }
}
