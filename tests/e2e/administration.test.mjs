// The commands that take access away from the users and apps of a running broker.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { App, refusal } from './support/app.mjs'
import { run } from './support/broker.mjs'
import { Browser } from './support/browser.mjs'
import { APPS, apps, startWorld } from './support/world.mjs'

let world
before(async () => { world = await startWorld() })
after(() => world?.close())

const command = (...args) => run([...args, '--config', world.broker.file])

async function signIn(id, login, provider = 'Corporate account') {
  const app = await App.at(world.issuer, apps[id])
  return { app, ...await app.signIn(new Browser([APPS]), { login, provider }) }
}

test('users and sessions are listed, as a table and as JSON', async () => {
  const { claims } = await signIn('gitlab', 'alice')
  const list = await command('users', 'list')
  assert.equal(list.code, 0, list.stderr)
  assert.match(list.stdout, /^USER +SUB +ACCESS +PROVIDERS +CREATED$/m)
  assert.match(list.stdout, new RegExp(`^alice +${claims.sub} +enabled +corp +\\d{4}-\\d\\d-\\d\\dT`, 'm'))
  const { users } = JSON.parse((await command('users', 'list', '--json')).stdout)
  assert.deepEqual(users.map((user) => user.sub), [claims.sub])
  const sessions = await command('sessions', 'list', '--user', claims.sub)
  assert.match(sessions.stdout, new RegExp(`^${claims.sid} +alice +corp `, 'm'))
  const shown = await command('users', 'show', 'alice')
  assert.match(shown.stdout, /^alice\n/)
  assert.ok(shown.stdout.includes(claims.sub) && shown.stdout.includes(claims.sid), shown.stdout)
  assert.match(shown.stdout, /^corp +\S+ +\d{4}-.* http:\/\/127\.0\.0\.1/m)
})

test('a session, a client and a user are taken away, and each answer says what ended', async () => {
  const first = await signIn('gitlab', 'alice')
  const ended = await command('sessions', 'revoke', first.claims.sid)
  assert.equal(ended.code, 0, ended.stderr)
  assert.match(ended.stdout, /1 session ended/)
  assert.equal(await refusal(first.app.refresh(first.tokens.refresh_token)), 'invalid_grant')

  const second = await signIn('gitlab', 'alice')
  const revoked = await command('clients', 'revoke', 'gitlab')
  assert.match(revoked.stdout, /0 sessions ended, [12] grants? revoked/)
  assert.match(revoked.stdout, /until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\.$/m)
  assert.equal(await refusal(second.app.refresh(second.tokens.refresh_token)), 'invalid_grant')

  const renamed = await command('users', 'rename', 'alice', 'alicia')
  assert.equal(renamed.stdout, 'alice is now alicia.\n')
  const disabled = await command('users', 'disable', 'alicia')
  assert.match(disabled.stdout, /^alicia is disabled\. \d sessions? ended/)
  assert.match((await command('users', 'list')).stdout, /^alicia .* disabled \(users disable\) /m)
  assert.equal((await command('users', 'enable', 'alicia')).stdout, 'The user can sign in again.\n')
  assert.equal((await command('users', 'rename', 'alicia', 'alice')).code, 0)
})

test('what is wrong is one line on standard error, with an exit code', async () => {
  const unknown = await command('users', 'disable', 'nobody')
  assert.deepEqual([unknown.code, unknown.stdout], [1, ''])
  assert.match(unknown.stderr, /^error: there is no user .*nobody\n$/)
  assert.equal((await command('consents', 'revoke', 'alice', 'gitlab')).code, 1)
  assert.equal((await command('users')).code, 2)
  assert.equal((await command('sessions', 'revoke')).code, 2)
  const nowhere = await run(['users', 'list', '--config', world.broker.file], { env: { COUNTERSIGN__ADMIN__LISTEN: '"127.0.0.1:1"' } })
  assert.equal(nowhere.code, 3)
  assert.match(nowhere.stderr, /^error: admin\.listen 127\.0\.0\.1:1: no broker answers there; start the broker, .*\n$/)
})
