// deploy/systemd under a real systemd, in a container: it starts, reloads, is watched and stops, with its hardening. tests/run
// says so where containers are not permitted, and sets COUNTERSIGN_TEST_WITHOUT_CONTAINERS.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { promisify } from 'node:util'

import { binary, folder, root } from './support/broker.mjs'

const ISSUER = '"issuer":"https://sso.example.com"'

if (!process.env.COUNTERSIGN_TEST_WITHOUT_CONTAINERS) describe('under systemd', () => {
  let seen = {}, journal = ''

  before(async () => {
    const share = folder()
    cpSync(binary, join(share, 'countersign'))
    for (const name of ['broker.toml', 'countersign.service']) cpSync(join(root, 'deploy/systemd', name), join(share, name))
    cpSync(join(root, 'tests/e2e/support/in-container.sh'), join(share, 'run'))
    const nspawn = join(root, 'target/e2e-nspawn/usr/bin/systemd-nspawn')
    await promisify(execFile)(join(root, 'tests/e2e/support/container.sh'), [nspawn, share], { timeout: 170_000 })
    seen = Object.fromEntries(readFileSync(join(share, 'seen'), 'utf8').trim().split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
    journal = readFileSync(join(share, 'journal'), 'utf8')
    rmSync(share, { recursive: true })
  })

  const is = (name, expected) => (expected instanceof RegExp ? assert.match : assert.equal)(seen[name], expected, `${name}\n${journal}`)

  test('it starts when it serves, with the secrets of the unit', () => {
    is('start', '0')
    is('answer', ISSUER)
    is('status', 'generation 1 serves; providers: 1, apps: 1')
  })

  test('it is confined, and its state is its own', () => {
    is('user', 'countersign')
    is('confined', /^CapEff: 0+ CapBnd: 0+ NoNewPrivs: 1 Seccomp: 2 $/)
    is('credentials', /^((countersign 400|root 440) ){2}$/)
    is('state', 'countersign 700 countersign 600 ')
    assert.doesNotMatch(journal, /Operation not permitted|EPERM|Read-only file system|"level":"ERROR".*(start|store)/)
  })

  test('confined as it is, it resolves names and calls providers', () => {
    is('sign_in', '502')
    is('outbound', /https:\/\/id\.corp\.example\/\.well-known\/openid-configuration.*Connection refused/)
  })

  test('its status says which generation serves and why one was refused', () => {
    is('reloaded', 'generation 2 serves; providers: 1, apps: 1')
    is('refused', /^the last reload was refused: \/etc\/countersign\/broker\.toml:1: unknown key `nonsense`.*; generation 2 serves/)
    is('refused_answer', ISSUER)
    is('reload', '0')
    is('mended', /^generation 2 serves/)
  })

  test('the watchdog restarts a process that hangs', () => {
    is('restarts', '1')
    is('restarted', 'running')
    is('watchdog', '1')
    is('restarted_answer', ISSUER)
  })

  test('it stops in order', () => {
    is('stop', '0 success')
    is('stopped', '1')
  })

  test('a file with problems does not start, and is not tried again', () => {
    is('broken_start', /^1 exit-code 0 1$/)
  })
})
