// The command line: output that scripts read, and exit codes (0 fine, 1 problem found, 2 wrong usage, 3 could not run).
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import http from 'node:http'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { folder, run } from './support/broker.mjs'
import { close, listen } from './support/net.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')

const GOOD = `issuer = "https://sso.example.com"

[providers.staff]
issuer = "https://id.corp.example/realms/staff"
client_id = "countersign"
client_secret = { file = "staff-secret" }

[clients.grafana]
client_secret = { file = "grafana-secret" }
redirect_uris = ["https://grafana.example.com/login/generic_oauth"]
`
const SECRETS = { 'staff-secret': 's1', 'grafana-secret': 's2' }

const BROKEN = `issuer = "https://sso.example.com"

[providers.staff]
issuer = "https://id.corp.example/realms/staff"
client_id = "countersign"
client_secret = { file = "staff-secret" }
allow = "'staff' in claim.groups"

[clients.grafana]
client_secret = { file = "grafana-secret" }
redirect_urls = ["https://grafana.example.com/login/generic_oauth"]
redirect_uris = ["https://grafana.example.com/login/generic_oauth"]

[tokens]
access_token = "1 hour"
`

test('--version and --help', async () => {
  const version = await run(['--version'])
  assert.equal(version.code, 0)
  assert.match(version.stdout, /^countersign \d+\.\d+\.\d+/)
  const help = await run(['--help'])
  assert.equal(help.code, 0)
  for (const command of ['serve', 'dev', 'check', 'schema']) assert.match(help.stdout, new RegExp(`^\\s+${command}\\b`, 'm'))
})

test('check: a good file is fine', async () => {
  const cwd = folder({ 'broker.toml': GOOD, ...SECRETS })
  const result = await run(['check'], { cwd })
  assert.equal(result.code, 0, result.stdout + result.stderr)
})

test('check: all problems of a broken file at once, each with its place and a way out; exit code 1', async () => {
  const cwd = folder({ 'broker.toml': BROKEN, ...SECRETS })
  const { code, stdout, stderr } = await run(['check', '--config', 'broker.toml'], { cwd })
  const text = stdout + stderr
  assert.equal(code, 1, text)
  for (const [word, line] of [['redirect_urls', 11], ['redirect_uris', 11], ['claim', 7], ['1 hour', 15]]) {
    assert.ok(text.includes(word), `${word} in\n${text}`)
    assert.match(text, new RegExp(`broker\\.toml:${line}\\b`), `line ${line} in\n${text}`)
  }
})

test('check --format json: one object, each problem with the contract\'s keys', async () => {
  const cwd = folder({ 'broker.toml': BROKEN, ...SECRETS })
  const { code, stdout } = await run(['check', '--config', 'broker.toml', '--format', 'json'], { cwd })
  assert.equal(code, 1)
  const { problems } = JSON.parse(stdout)
  const errors = problems.filter((problem) => problem.severity === 'error')
  assert.deepEqual(errors.map((problem) => problem.line).sort((a, b) => a - b), [7, 11, 15], stdout)
  for (const problem of problems) {
    assert.deepEqual(Object.keys(problem).sort(), ['column', 'expected', 'file', 'found', 'line', 'message', 'path', 'severity', 'suggestion'])
    assert.match(problem.file, /broker\.toml$/)
    assert.ok(problem.column >= 1)
  }
  const unknown = errors.find((problem) => problem.line === 11)
  assert.match(`${unknown.suggestion} ${unknown.message}`, /redirect_uris/)
})

test('check --format json on a good file: no error, exit code 0', async () => {
  const cwd = folder({ 'broker.toml': GOOD, ...SECRETS })
  const { code, stdout } = await run(['check', '--format', 'json'], { cwd })
  assert.equal(code, 0)
  assert.deepEqual(JSON.parse(stdout).problems.filter((problem) => problem.severity === 'error'), [])
})

test('check: missing secret files are a problem, unless --without-secrets', async () => {
  const cwd = folder({ 'broker.toml': GOOD })
  const without = await run(['check'], { cwd })
  assert.equal(without.code, 1)
  assert.match(without.stdout + without.stderr, /grafana-secret/)
  const result = await run(['check', '--without-secrets'], { cwd })
  assert.equal(result.code, 0, result.stdout + result.stderr)
})

test('check: a literal secret is a warning, --strict makes it a failure, and it is never printed', async () => {
  const cwd = folder({ 'broker.toml': GOOD.replace('{ file = "grafana-secret" }', '"a canary in the file"'), ...SECRETS })
  for (const [args, expected] of [[[], 0], [['--strict'], 1], [['--format', 'json'], 0], [['--origins'], 0]]) {
    const result = await run(['check', ...args], { cwd })
    assert.equal(result.code, expected, `${args}: ${result.stdout}${result.stderr}`)
    assert.doesNotMatch(result.stdout + result.stderr, /a canary/)
  }
})

test('check runs the file\'s own tests', async () => {
  const mapping = (role) => `${GOOD}
[roles.admin]
[roles.viewer]
[[role_rules]]
when = "'sre' in groups"
roles = ["admin"]
[[tests]]
name = "an SRE is admin"
provider = "staff"
claims = { sub = "1", preferred_username = "alice", groups = ["sre"] }
expect = { username = "alice", roles = ["${role}"] }
`
  const right = await run(['check'], { cwd: folder({ 'broker.toml': mapping('admin'), ...SECRETS }) })
  assert.equal(right.code, 0, right.stdout + right.stderr)
  const wrong = await run(['check'], { cwd: folder({ 'broker.toml': mapping('viewer'), ...SECRETS }) })
  assert.equal(wrong.code, 1, wrong.stdout + wrong.stderr)
  assert.match(wrong.stdout + wrong.stderr, /an SRE is admin/)
})

test('wrong usage is 2, what can\'t run is 3', async () => {
  assert.equal((await run(['check', '--nonsense'])).code, 2)
  assert.equal((await run(['no-such-command'])).code, 2)
  const cwd = folder()
  const missing = await run(['check', '--config', 'nowhere.toml'], { cwd })
  assert.equal(missing.code, 3, missing.stdout + missing.stderr)
  assert.match(missing.stdout + missing.stderr, /nowhere\.toml/)
})

test('serve: a broken file is 1 with its problems, a taken port is 3 with the address', async () => {
  const broken = await run(['serve'], { cwd: folder({ 'broker.toml': BROKEN, ...SECRETS }) })
  assert.equal(broken.code, 1, broken.stdout + broken.stderr)
  assert.match(broken.stdout + broken.stderr, /redirect_urls/)

  const squatter = http.createServer()
  const port = await listen(squatter)
  try {
    const toml = GOOD.replace('\n\n', `\n\n[server]\nlisten = ["127.0.0.1:${port}"]\n[admin]\nlisten = "127.0.0.1:0"\n\n`)
    const taken = await run(['serve'], { cwd: folder({ 'broker.toml': toml, ...SECRETS }) })
    assert.equal(taken.code, 3, taken.stdout + taken.stderr)
    assert.match(taken.stdout + taken.stderr, new RegExp(`127\\.0\\.0\\.1:${port}`))
  } finally {
    await close(squatter)
  }
})

test('schema is the committed one', async () => {
  const { code, stdout } = await run(['schema'])
  assert.equal(code, 0)
  assert.deepEqual(JSON.parse(stdout), JSON.parse(readFileSync(join(root, 'schemas/broker.schema.json'), 'utf8')))
})

test('client secret: made once, and its hash opens the file', async () => {
  const cwd = folder({ 'broker.toml': GOOD, ...SECRETS })
  const { code, stdout, stderr } = await run(['client', 'secret', 'grafana'], { cwd })
  assert.equal(code, 0, stderr)
  const hash = /sha256:[0-9a-f]{64}/.exec(stdout + stderr)?.[0]
  assert.ok(hash, stdout + stderr)
  const secret = (stdout + stderr).split(/[\s"'`,]+/).find((word) => `sha256:${createHash('sha256').update(word).digest('hex')}` === hash)
  assert.ok(secret?.length >= 32, 'the secret is shown, and is what was hashed')
  writeFileSync(join(cwd, 'broker.toml'), GOOD.replace('client_secret = { file = "grafana-secret" }', `client_secret_hashes = ["${hash}"]`))
  const check = await run(['check'], { cwd })
  assert.equal(check.code, 0, check.stdout + check.stderr)
})

test('dev --once signs a person in and prints what came out', async () => {
  const { code, stdout, stderr } = await run(['dev', '--once', 'alice'], { cwd: folder() })
  assert.equal(code, 0, stdout + stderr)
  assert.match(stdout, /"preferred_username": "alice"/)
  assert.match(stdout, /"groups"/)
  assert.match(stdout, /"iss"/)
  const nobody = await run(['dev', '--once', 'nobody-known'], { cwd: folder() })
  assert.equal(nobody.code, 2)
  assert.match(nobody.stdout + nobody.stderr, /alice/)
})
