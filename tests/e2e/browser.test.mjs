// A person with a real Chromium. App, broker and IdPs are four sites behind TLS, so that cookies, CSP and CORS matter.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { person } from './support/app.mjs'
import { launch, visit } from './support/chromium.mjs'
import { startSites } from './support/sites.mjs'
import { until } from './support/until.mjs'
import { ALICE } from './support/world.mjs'

let sites, browser

before(async () => {
  sites = await startSites()
  browser = await launch(sites.tls)
})
after(async () => { await browser?.close(); await sites?.close() })

/** A test with a fresh browser profile. */
const walk = (name, options, steps) => test(name, () => visit(browser, steps, options))

/** Fills the IdP's login form. */
async function logIn(page, login) {
  await page.getByLabel('Login').fill(login)
  await page.getByRole('button', { name: 'Log in' }).click()
}

async function claims(page) {
  await page.waitForURL(/\/callback/)
  const shown = page.locator('#claims')
  assert.equal(await shown.count(), 1, await page.locator('body').innerText())
  return JSON.parse(await shown.innerText())
}

walk('picker, IdP, app, and out again', {}, async ({ page, context }) => {
  await page.goto(`${sites.app}/login`)
  assert.equal(new URL(page.url()).origin, sites.sso)
  await page.getByRole('heading', { name: /Wiki 百科/ }).waitFor()
  await page.getByRole('button', { name: 'Corporate account' }).click()
  await page.waitForURL(`${sites.corp.issuer}/**`)
  await logIn(page, 'alice')
  const first = await claims(page)
  assert.deepEqual(person(first), ALICE)

  const cookies = await context.cookies(sites.sso)
  assert.ok(cookies.length > 0)
  for (const cookie of cookies) {
    assert.ok(cookie.name.startsWith('__Host-'), cookie.name)
    assert.deepEqual([cookie.secure, cookie.httpOnly, cookie.sameSite], [true, true, 'Lax'], cookie.name)
  }

  await page.goto(`${sites.app}/login?prompt=none`)
  assert.equal((await claims(page)).sub, first.sub, 'silently the second time')

  await page.getByRole('link', { name: 'Sign out' }).click()
  await page.waitForURL(`${sites.corp.issuer}/**`)
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.waitForURL(`${sites.app}/bye?state=x`)
  await page.goto(`${sites.app}/login?prompt=none`)
  assert.equal(await page.locator('#error').innerText(), 'login_required')
})

/** Signs in to the app that is notified by the front channel, and leaves it. */
async function throughTeam(page) {
  await page.goto(`${sites.app}/login?id=team`)
  await page.getByRole('button', { name: 'Corporate account' }).click()
  await logIn(page, 'alice')
  const { sid } = await claims(page)
  sites.out.seen.length = 0
  await page.getByRole('link', { name: 'Sign out' }).click()
  return sid
}

walk('at sign-out an app signs out in a frame, then the browser goes on', {}, async ({ page }) => {
  const sid = await throughTeam(page)
  await page.waitForURL(`${sites.corp.issuer}/**`)
  assert.deepEqual(sites.out.seen, [{ from: 'broker', iss: sites.sso, sid }])
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.waitForURL(`${sites.app}/bye?state=x`)
})

walk('without script too', { javaScriptEnabled: false }, async ({ page }) => {
  const sid = await throughTeam(page)
  await page.waitForURL(`${sites.corp.issuer}/**`)
  assert.deepEqual(sites.out.seen, [{ from: 'broker', iss: sites.sso, sid }])
})

walk('an app that hangs in its frame does not hold the person up', {}, async ({ page }) => {
  let release
  sites.out.answer = () => new Promise((done) => { release = done })
  try {
    await throughTeam(page)
    await page.getByRole('heading', { name: 'Signing you out' }).waitFor()
    await page.waitForURL(`${sites.corp.issuer}/**`)
    assert.equal(sites.out.seen.length, 1)
  } finally {
    release?.()
    sites.out.answer = async () => {}
  }
})

walk('an app that asks for form_post gets it from a page that its own site may take', {}, async ({ page }) => {
  await page.goto(`${sites.app}/login?response_mode=form_post`)
  await page.getByRole('button', { name: 'Partner account' }).click()
  await logIn(page, 'dora')
  assert.equal((await claims(page)).preferred_username, 'dora')
})

walk('without script, by keyboard', { javaScriptEnabled: false }, async ({ page }) => {
  await page.goto(`${sites.app}/login`)
  const button = page.getByRole('button', { name: 'Corporate account' })
  const focused = () => button.and(page.locator(':focus')).count()
  for (let presses = 0; presses < 10 && !(await focused()); presses += 1) await page.keyboard.press('Tab')
  assert.equal(await focused(), 1, 'the button can be reached by Tab')
  await page.keyboard.press('Enter')
  await page.waitForURL(`${sites.corp.issuer}/**`)
  await page.getByLabel('Login').fill('alice')
  await page.keyboard.press('Enter')
  assert.equal((await claims(page)).preferred_username, 'alice')
})

walk('consent: refused goes back with the reason, allowed is remembered', {}, async ({ page }) => {
  await page.goto(`${sites.app}/login?id=asks`)
  await page.getByRole('button', { name: 'Corporate account' }).click()
  await logIn(page, 'alice')
  await page.getByRole('heading', { name: /Holiday planner/ }).waitFor()
  await page.getByRole('button', { name: 'Don’t allow' }).click()
  await page.waitForURL(/\/callback/)
  assert.equal(await page.locator('#error').innerText(), 'access_denied')

  await page.goto(`${sites.app}/login?id=asks`)
  await page.getByRole('button', { name: 'Allow', exact: true }).click()
  assert.deepEqual(person(await claims(page)), ALICE)
  await page.goto(`${sites.app}/login?id=asks`)
  assert.deepEqual(person(await claims(page)), ALICE)
})

walk('two sign-ins in parallel tabs stay apart', {}, async ({ page, context }) => {
  const other = await context.newPage()
  await page.goto(`${sites.app}/login`)
  await other.goto(`${sites.app}/login`)
  await page.getByRole('button', { name: 'Corporate account' }).click()
  await page.waitForURL(`${sites.corp.issuer}/**`)
  await other.getByRole('button', { name: 'Partner account' }).click()
  await other.waitForURL(`${sites.partner.issuer}/**`)
  await logIn(other, 'dora')
  assert.equal((await claims(other)).preferred_username, 'dora')
  await logIn(page, 'alice')
  assert.equal((await claims(page)).preferred_username, 'alice')
})

walk('a page of ours can\'t be framed', { expected: /frame-ancestors|X-Frame-Options|ERR_BLOCKED_BY_RESPONSE/ }, async ({ page }) => {
  await page.goto(`${sites.app}/bye`)
  await page.evaluate((src) => {
    const frame = document.createElement('iframe')
    frame.src = src
    return new Promise((done) => { frame.onload = done; document.body.append(frame) })
  }, `${sites.sso}/`)
  const frame = page.frames().find((one) => one !== page.mainFrame())
  await until('the frame shows the browser\'s own error', () => frame.url().startsWith('chrome-error:'))
})

walk('oidc-client-ts: a public browser app of another site signs in, renews by refresh token, signs out', {}, async ({ page }) => {
  const result = async (name) => {
    await page.locator(`#result[data-done=${name}], #result[data-done=error]`).waitFor()
    const shown = JSON.parse(await page.locator('#result').innerText())
    assert.equal(shown.error, undefined)
    return shown
  }
  await page.goto(`${sites.app}/spa`)
  await result('ready')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: 'Corporate account' }).click()
  await logIn(page, 'alice')
  await page.waitForURL(/\/spa\?/)
  const shown = await result('ready')
  assert.deepEqual(person(shown.profile), ALICE)
  assert.equal(shown.scope, 'openid profile email groups')
  assert.equal(shown.renewed, true)

  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.waitForURL(`${sites.corp.issuer}/**`)
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.waitForURL(`${sites.app}/spa`)
  assert.equal((await result('ready')).signed_in, false)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: 'Corporate account' }).waitFor()
})
