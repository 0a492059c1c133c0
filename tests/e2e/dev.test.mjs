// `countersign dev`: the demo app, its simulated providers and the file, in a real Chromium: pictures (target/pictures), phone
// width, axe; a broken provider; a file that is edited while it runs.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { binary, run } from './support/broker.mjs'
import { inspect, launch, visit } from './support/chromium.mjs'
import { until } from './support/until.mjs'

let browser, dev
before(async () => { browser = await launch(); dev = await startDev([]) })
after(async () => { await browser?.close(); await dev?.stop() })

/** Starts `countersign dev`, and reads the address of the demo app from what it prints. */
async function startDev(args, cwd = mkdtempSync(join(tmpdir(), 'countersign-dev-'))) {
  const { PATH, HOME = '/' } = process.env
  const child = spawn(binary, ['dev', ...args], { cwd, env: { PATH, HOME }, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { out += chunk })
  const exited = new Promise((done) => child.once('exit', done))
  await until('dev prints its address', () => /sign in:\s+http:\S+/.test(out), { within: 20_000 })
  const stop = () => { child.kill('SIGINT'); return exited }
  return { app: /sign in:\s+(http:\S+)/.exec(out)[1], out: () => out, stop, cwd }
}

async function be(page, name) {
  await page.goto(dev.app)
  await page.getByRole('link', { name: new RegExp(name) }).click()
}

test('the first page has the people as links, the switch, and the way to the sign-in page', () => visit(browser, async ({ page }) => {
  await page.goto(dev.app)
  await page.getByRole('link', { name: /Alice Jansen/ }).waitFor()
  await inspect(page, 'dev-home')
  await page.getByRole('link', { name: 'Sign in to Demo app' }).click()
  await page.getByRole('button', { name: 'Example Corp' }).waitFor()
  await page.getByRole('button', { name: 'Partner GmbH' }).click()
  await page.getByRole('heading', { name: 'Who do you want to be?' }).waitFor()
  await inspect(page, 'dev-people')
  await page.getByRole('button', { name: /حداد/ }).click()
  await page.getByRole('heading', { name: 'What the app received' }).waitFor()
  assert.match(await page.locator('main').innerText(), /"partner-layla"/)
}))

test('the tokens come with the decision, its expressions and values, and lead to the line of the file', () => visit(browser, async ({ page }) => {
  await be(page, 'Alice Jansen')
  await page.getByRole('heading', { name: 'What the app received' }).waitFor()
  const trace = await page.locator('table.trace').innerText()
  assert.match(trace, /'sre' in groups && provider == 'corp'/)
  assert.match(trace, /claims\.email = "alice@corp\.example"/)
  await inspect(page, 'dev-tokens')
  await page.getByRole('row', { name: /role admin/ }).getByRole('link').click()
  assert.match(await page.locator('.lit').innerText(), /\[\[role_rules\]\]/)
  assert.ok(await page.locator('.lit').isVisible())
  await inspect(page, 'dev-file')
  await page.getByRole('link', { name: /Tokens and why/ }).click()
  await page.getByRole('button', { name: 'Refresh tokens' }).click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('link', { name: /Alice Jansen/ }).waitFor()
  assert.equal(await page.getByRole('link', { name: /Tokens and why/ }).count(), 0)
}))

test('a refused person ends on a page of the app that says why, with a way on', () => visit(browser, async ({ page }) => {
  await be(page, 'Mallory')
  await page.getByRole('link', { name: /Back to Demo app/ }).click()
  await page.getByRole('heading', { name: 'The sign-in did not succeed' }).waitFor()
  const text = await page.locator('main').innerText()
  assert.match(text, /not_allowed/)
  assert.match(text, /claims\.email\.domain\(\) in/)
  assert.match(text, /claims\.email = "mallory@elsewhere\.example"/)
  await inspect(page, 'dev-refused')
  await page.getByRole('link', { name: 'Be somebody else' }).click()
  await page.getByRole('link', { name: /Bob Keller/ }).click()
  await page.getByRole('heading', { name: 'What the app received' }).waitFor()
}, { expected: /status of 403/ }))

test('a switch breaks a provider, and repairs it', () => visit(browser, async ({ page }) => {
  await page.goto(dev.app)
  const corp = page.locator('form.break').filter({ hasText: 'Example Corp' })
  for (const [way, code] of [['does not answer', 'provider_unavailable'], ['sends expired ID tokens', 'token_invalid']]) {
    await page.goto(dev.app)
    await corp.getByLabel(/Example Corp/).selectOption({ label: way })
    await corp.getByRole('button', { name: 'Apply' }).click()
    await page.getByText('broken').waitFor()
    await page.getByRole('link', { name: /Alice Jansen/ }).click()
    await page.getByText(code).first().waitFor()
    await page.getByRole('link', { name: /Back to Demo app/ }).click()
    await page.getByRole('heading', { name: 'The sign-in did not succeed' }).waitFor()
    await page.getByText(code).first().waitFor()
  }
  await inspect(page, 'dev-broken')
  await page.goto(dev.app)
  await corp.getByLabel(/Example Corp/).selectOption({ label: 'works' })
  await corp.getByRole('button', { name: 'Apply' }).click()
  await page.getByRole('link', { name: /Alice Jansen/ }).click()
  await page.getByRole('heading', { name: 'What the app received' }).waitFor()
}, { expected: /status of [45]\d\d/ }))

test('a file of one\'s own is edited while it runs: a change is applied, a mistake is shown', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'countersign-dev-'))
  const { stdout } = await run(['dev', '--print'], { cwd })
  const file = join(cwd, 'broker.toml')
  writeFileSync(file, stdout)
  assert.equal((await run(['check', '--without-secrets', '--strict'], { cwd })).code, 0)
  const own = await startDev(['--config', 'broker.toml'], cwd)
  try {
    await visit(browser, async ({ page }) => {
      const shows = (text) => async () => { await page.goto(`${own.app}/file`); return page.getByText(text).first().isVisible() }
      writeFileSync(file, stdout.replace("'contractors.example'", "'contractors.example', 'elsewhere.example'").replace('expect = { refused = "not_allowed" }', 'expect = { roles = ["admin"] }'))
      await until('generation 2 is in force', shows('Generation 2 is in force'), { within: 15_000 })
      await page.goto(own.app)
      await page.getByRole('link', { name: /Mallory/ }).click()
      await page.getByRole('heading', { name: 'What the app received' }).waitFor()
      writeFileSync(file, readFileSync(file, 'utf8').replace('allow =', 'alow ='))
      await until('the mistake is shown', shows('did you mean'), { within: 15_000 })
      await inspect(page, 'dev-problems')
    })
  } finally {
    await own.stop()
  }
})
