// The account pages in a real Chromium: pictures (target/pictures), phone width, axe, and a session that is ended on another device.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { inspect, launch, visit } from './support/chromium.mjs'
import { startSites } from './support/sites.mjs'

let sites, browser

before(async () => {
  sites = await startSites(({ app }) => `
[account]

[policy]
default_roles = ["guest"]
default_roles_when = "no_roles"

[roles.guest]
[roles.editor]
permissions = ["pages:write"]
[roles.auditor]

[[role_rules]]
when = "'staff' in groups && provider == 'corp'"
roles = ["editor"]

[users."bob"]
groups = ["choir"]
roles = ["auditor"]

[clients.treasury]
client_name = "Treasury"
client_secret = { file = "web-secret" }
redirect_uris = ["${app}/callback"]
require = "'sre' in groups && 'editor' in roles"
contacts = ["treasury@corp.example"]

[clients.partners]
client_name = "Supplier portal"
client_secret = { file = "web-secret" }
redirect_uris = ["${app}/callback"]
providers = ["partner"]

[clients.absence]
client_name = "Abwesenheitsverwaltung"
client_secret = { file = "web-secret" }
redirect_uris = ["${app}/callback"]
`)
  browser = await launch(sites.tls)
})
after(async () => { await browser?.close(); await sites?.close() })

/** Opens an account page and signs in on the way. */
async function enter(page, path = '/account', login = 'bob') {
  await page.goto(`${sites.sso}${path}`)
  await page.getByRole('button', { name: 'Corporate account' }).click()
  await page.getByLabel('Login').fill(login)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.waitForURL(`${sites.sso}${path}`)
}

async function mirrored(page, name) {
  await page.evaluate(() => { document.documentElement.dir = 'rtl' })
  await inspect(page, `${name}-rtl`)
}

test('about you: attributes, groups and roles, each with its reason', () => visit(browser, async ({ page }) => {
  await enter(page)
  await page.getByRole('heading', { name: 'About you', level: 1 }).waitFor()
  await page.getByText("'staff' in groups && provider == 'corp'").waitFor()
  assert.equal(await page.getByRole('navigation', { name: 'Sections' }).getByRole('link', { name: 'About you' }).getAttribute('aria-current'), 'page')
  await inspect(page, 'account-overview')
  await mirrored(page, 'account-overview')
}))

test('which apps may be entered, and why not', () => visit(browser, async ({ page }) => {
  await enter(page, '/account/apps')
  await page.getByText('It asks for the group sre.').first().waitFor()
  await page.getByText('It accepts accounts of:').waitFor()
  await page.getByText('The rule, and what it reads of you').first().click()
  await inspect(page, 'account-apps')
  await mirrored(page, 'account-apps')
}))

test('a consent is taken back', () => visit(browser, async ({ page }) => {
  await page.goto(`${sites.app}/login?id=asks`)
  await page.getByRole('button', { name: 'Corporate account' }).click()
  await page.getByLabel('Login').fill('bob')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByRole('button', { name: 'Allow', exact: true }).click()
  await page.getByRole('heading', { name: 'Signed in' }).waitFor()
  await page.goto(`${sites.sso}/account/consents`)
  await page.getByText('Holiday planner').waitFor()
  await inspect(page, 'account-consents')
  await page.getByRole('link', { name: 'Take back' }).click()
  await inspect(page, 'account-confirm-consent')
  await page.getByRole('button', { name: 'Take back now' }).click()
  await page.getByRole('status').getByText('Holiday planner').waitFor()
  await inspect(page, 'account-consents-empty')
}))

test('a session on a lost phone is ended by keyboard alone', () => visit(browser, async ({ page }) => {
  await enter(page, '/account/sessions', 'alice')
  await inspect(page, 'account-sessions-empty')
  await visit(browser, async ({ page: phone }) => {
    await enter(phone, '/account/sessions', 'alice')
    await page.reload()
    await page.getByText('Safari · iPhone').waitFor()
    await inspect(page, 'account-sessions')
    await mirrored(page, 'account-sessions')
    await page.reload()
    await page.getByRole('link', { name: 'End session' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'End this session?' }).waitFor()
    await inspect(page, 'account-confirm-session')
    await page.getByRole('button', { name: 'End session now' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('status').getByText('Safari · iPhone').waitFor()
    await inspect(page, 'account-session-ended')
    await phone.goto(`${sites.sso}/account`)
    await phone.getByRole('button', { name: 'Corporate account' }).waitFor()
  }, { userAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1' })
}))

test('the sign-in page of the account pages, and the pages in German', () => visit(browser, async ({ page }) => {
  await page.goto(`${sites.sso}/account`)
  await page.getByRole('heading', { name: 'Bei Countersign anmelden' }).waitFor()
  await inspect(page, 'account-sign-in-de')
  await enter(page, '/account/apps')
  await page.getByText('Verlangt die Gruppe sre.').first().waitFor()
  await inspect(page, 'account-apps-de')
}, { locale: 'de-DE' }))

test('a refusal leads to the account page', () => visit(browser, async ({ page }) => {
  await page.goto(`${sites.app}/login?id=treasury`)
  await page.getByRole('button', { name: 'Corporate account' }).click()
  await page.getByLabel('Login').fill('bob')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByRole('link', { name: 'Your account' }).click()
  await page.getByRole('button', { name: 'Corporate account' }).click()
  await page.getByRole('heading', { name: 'About you', level: 1 }).waitFor()
}, { expected: /status of 403/ }))

test('a long word of a name is not broken between two letters', () => visit(browser, async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 800 })
  await page.goto(`${sites.app}/login?id=absence`)
  const heading = page.getByRole('heading', { name: 'Sign in to Abwesenheitsverwaltung' })
  await heading.waitFor()
  const lines = await heading.evaluate((title) => {
    const range = document.createRange()
    range.selectNodeContents(title.querySelector('bdi'))
    return new Set([...range.getClientRects()].map((line) => Math.round(line.top))).size
  })
  assert.equal(lines, 1)
  await inspect(page, 'sign-in-long-word')
}))
