// A custom appearance (`[ui]`): logo, colour, texts and a template, in a real Chromium; a reload changes them.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { inspect, launch, visit } from './support/chromium.mjs'
import { startSites } from './support/sites.mjs'
import { until } from './support/until.mjs'

const FOOT = `{% extends "built-in/base.html" %}
{% block footer %}
<footer class="signature"><span class="rule"></span><span>{{ t("brand.name") }} · <a href="https://help.test/">Service desk</a></span></footer>
{% endblock %}
`

let sites, browser, toml

before(async () => {
  sites = await startSites(({ app }) => `
[ui]
logo_uri = "${app}/logo.svg"
color = "#1d2a6b"
templates = "looks"
[ui.texts."*"]
"brand.name" = "Nordwind"
[ui.texts.en]
"sign_in.choose" = "Pick the account that you have at Nordwind"
`, { 'looks/base.html': FOOT })
  toml = sites.broker.read()
  browser = await launch(sites.tls)
})
after(async () => { await browser?.close(); await sites?.close() })

/** Waits until the browser has loaded the logo or failed to load it. */
async function logoIsThere(page) {
  const logo = page.getByRole('img', { name: 'Nordwind' })
  await logo.waitFor()
  await until('the logo is loaded', () => logo.evaluate((image) => image.complete && image.naturalWidth > 0))
}

test('the sign-in page in own looks', () => visit(browser, async ({ page }) => {
  await page.goto(`${sites.app}/login`)
  await page.getByText('Pick the account that you have at Nordwind').waitFor()
  await page.getByRole('link', { name: 'Service desk' }).waitFor()
  await logoIsThere(page)
  assert.equal(await page.getByText('Countersign').count(), 0)
  await inspect(page, 'looks-sign-in')
}))

/** Signs in to the app that asks for consent, up to its consent page. */
async function consent(page) {
  await page.getByRole('button', { name: 'Corporate account' }).click()
  await page.getByLabel('Login').fill('bob')
  await page.getByRole('button', { name: 'Log in' }).click()
  const allow = page.getByRole('button', { name: 'Allow', exact: true })
  await allow.waitFor()
  await logoIsThere(page)
  return allow.evaluate((button) => getComputedStyle(button).backgroundColor)
}

test('consent, with a button of the colour', () => visit(browser, async ({ page }) => {
  await page.goto(`${sites.app}/login?id=asks`)
  assert.equal(await consent(page), 'rgb(29, 42, 107)')
  await inspect(page, 'looks-consent')
}))

test('signed out', () => visit(browser, async ({ page }) => {
  await page.goto(`${sites.sso}/oauth2/logout`)
  await logoIsThere(page)
  await inspect(page, 'looks-signed-out')
}))

test('a light colour is made to stand out, and pages after a reload have it', () => visit(browser, async ({ page }) => {
  sites.broker.save(toml.replace('#1d2a6b', '#ffd400'))
  await until('the colour is another', async () => {
    await page.goto(`${sites.app}/login?id=asks`)
    const accent = await page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue('--accent').trim())
    return accent !== '#1d2a6b'
  })
  await consent(page)
  await inspect(page, 'looks-yellow')
}))
