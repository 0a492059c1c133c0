// Another real app: Authlib (PyPI), in a Python process of its own.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

import { person } from './support/app.mjs'
import { Browser } from './support/browser.mjs'
import { ALICE, APPS, apps, startWorld } from './support/world.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const python = process.env.COUNTERSIGN_E2E_PYTHON ?? join(here, '../../target/e2e-venv/bin/python')

let world

before(async () => { world = await startWorld() })
after(() => world?.close())

async function authlib(step, more = {}) {
  const child = spawn(python, [join(here, 'apps/authlib_app.py')], { stdio: ['pipe', 'pipe', 'pipe'] })
  const exited = new Promise((resolve, reject) => { child.once('error', reject); child.once('close', resolve) })
  const { id: client_id, secret: client_secret, redirectUri: redirect_uri } = apps.wiki
  child.stdin.end(JSON.stringify({ step, issuer: world.issuer, client_id, client_secret, redirect_uri, ...more }))
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

test('Authlib signs in, reads userinfo, refreshes with rotation and revokes', async () => {
  const begun = await authlib('begin')
  const page = await new Browser([APPS]).signIn(begun.url, { login: 'alice', provider: 'Corporate account' })
  const result = await authlib('finish', { begun, returned: page.url.href })
  assert.deepEqual(person(result.claims), ALICE)
  assert.deepEqual(result.userinfo, { sub: result.claims.sub, ...ALICE })
  assert.equal(result.rotated, true)
  assert.equal(result.same_person, true)
  assert.equal(result.revoked, 200)
  assert.equal(result.after_revocation, 401)
})
