// The console: pictures of every page (target/pictures), phone width, axe, an empty console.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { inspect, launch, visit } from './support/chromium.mjs'
import { startSites } from './support/sites.mjs'
import { until } from './support/until.mjs'

const LONG = 'Abteilung für Öffentlichkeitsarbeit, Abwesenheitsverwaltung und <b>Reisekostenabrechnung</b> der Niederlassung Nord'

let sites, browser, toml

before(async () => {
  sites = await startSites(({ app }) => `
[console]
require = "'sre' in groups"

[clients.long]
client_name = "${LONG}"
client_secret = { file = "web-secret" }
redirect_uris = ["${app}/callback", "${app}/another/very/long/path/that/does/not/break/${'x'.repeat(80)}"]
require = "'sre' in groups && ('release-managers' in groups || 'administrators-of-the-northern-branch' in groups)"

[providers.away]
name = "An identity provider that does not answer"
issuer = "https://away.test"
client_id = "countersign"
client_secret = { file = "web-secret" }
create_users = false
create_roles = true

[roles.admin]
description = "May change anything"
permissions = ["users:write", "reports:read"]
[roles.viewer]

[[role_rules]]
when = "'sre' in groups"
roles = ["admin"]
[[role_rules]]
provider = "corp"
each = "groups"
matches = '^grafana-(?<kind>.+)$'
roles = ["viewer"]
`)
  toml = sites.broker.read()
  browser = await launch(sites.tls)
})
after(async () => { await browser?.close(); await sites?.close() })

async function signIn(page, login) {
  await page.getByRole('button', { name: 'Corporate account' }).click()
  await page.getByLabel('Login').fill(login)
  await page.getByRole('button', { name: 'Log in' }).click()
}

/** A page of the console as alice sees it. */
function looks(name, arrive, options = {}) {
  test(name, () => visit(browser, async ({ page }) => {
    await page.goto(`${sites.sso}/console`)
    await signIn(page, 'alice')
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await arrive(page)
    await inspect(page, `console-${name}`)
  }, options))
}

test('bob has signed in, and a reload has changed something', async () => {
  await visit(browser, async ({ page }) => {
    await page.goto(`${sites.app}/login?id=asks`)
    await signIn(page, 'bob')
    await page.getByRole('button', { name: 'Allow', exact: true }).click()
    await page.waitForURL(/\/callback/)
    await page.goto(`${sites.app}/login?id=vault`)
    await page.getByText('client_requirement_not_met').waitFor()
  }, { expected: /status of 403/ })
  sites.broker.save(toml.replace('client_name = "Team calendar"', 'client_name = "Calendar of all teams"'))
  const status = async () => (await fetch(`${sites.broker.admin}/status`)).json()
  await until('the reload is applied', async () => (await status()).generation === 2)
  sites.broker.save(toml.replace('"\'sre\' in groups"', '"\'sre\' in grups"'))
  await until('the reload is refused', async () => (await status()).reload_failed)
})

test('refused', () => visit(browser, async ({ page }) => {
  await page.goto(`${sites.sso}/console/users`)
  await signIn(page, 'bob')
  await page.getByText('console_requirement_not_met').waitFor()
  await inspect(page, 'console-refused')
}, { expected: /status of 403/ }))

looks('overview', async (page) => { await page.getByText('The files have problems').waitFor() })
looks('users', async (page) => {
  await page.getByLabel('Find a user').fill('b')
  await page.getByRole('button', { name: 'Search' }).click()
  await page.getByRole('link', { name: 'bob' }).waitFor()
})
looks('user', async (page) => {
  await page.goto(`${sites.sso}/console/users?q=bob`)
  await page.getByRole('link', { name: 'bob' }).click()
  await page.getByRole('heading', { name: 'bob' }).waitFor()
})
looks('why', async (page) => {
  await page.goto(`${sites.sso}/console/users?q=bob`)
  await page.getByRole('link', { name: 'bob' }).click()
  await page.getByRole('link', { name: 'Why?' }).click()
  await page.getByText('client_requirement_not_met').first().waitFor()
})
looks('why-app', async (page) => {
  await page.goto(`${sites.sso}/console/users?q=bob`)
  await page.getByRole('link', { name: 'bob' }).click()
  await page.getByRole('link', { name: 'Why?' }).click()
  await page.locator('li', { hasText: 'Vault' }).getByRole('link', { name: 'Why?' }).click()
  await page.getByText('require does not hold').waitFor()
})
looks('refusals', async (page) => {
  await page.goto(`${sites.sso}/console/refusals`)
  await page.getByText('client_requirement_not_met').first().waitFor()
})
looks('trace', async (page) => {
  await page.goto(`${sites.sso}/console/refusals`)
  await page.getByRole('link', { name: 'Why?' }).first().click()
  await page.getByText('require does not hold').first().waitFor()
})
looks('audit', async (page) => {
  await page.getByRole('link', { name: 'Audit trail' }).click()
  await page.locator('.tag', { hasText: 'sign_in' }).first().waitFor()
})
looks('sessions', async (page) => {
  await page.getByRole('link', { name: 'Sessions' }).click()
  await page.getByText('Yours').first().waitFor()
})
for (const [name, link] of [['providers', 'Identity providers'], ['clients', 'Apps'], ['roles', 'Roles'], ['configuration', 'Configuration']]) {
  looks(name, async (page) => {
    await page.getByRole('navigation').getByRole('link', { name: link }).click()
    await page.getByRole('heading', { name: link, level: 1 }).waitFor()
  })
}
looks('provider', async (page) => { await page.goto(`${sites.sso}/console/provider?id=corp`) })
looks('client', async (page) => { await page.goto(`${sites.sso}/console/client?id=long`) })
looks('role', async (page) => { await page.goto(`${sites.sso}/console/role?name=admin`) })
looks('draft', async (page) => {
  await page.goto(`${sites.sso}/console/provider?id=corp`)
  await page.getByRole('link', { name: 'Draft a change' }).click()
  await page.getByLabel('Name').fill('Everybody at work')
})
looks('draft-faults', async (page) => {
  await page.goto(`${sites.sso}/console/draft/client`)
  await page.getByLabel('Id', { exact: true }).fill('Two Words')
  await page.getByRole('button', { name: 'Show the change' }).click()
  await page.getByText('This can’t be an id').waitFor()
})
looks('draft-result', async (page) => {
  await page.goto(`${sites.sso}/console/draft/client?id=long`)
  await page.getByLabel('Who may use it').fill("'nobody' in groups")
  await page.getByRole('button', { name: 'Show the change' }).click()
  await page.getByRole('heading', { name: 'Difference' }).waitFor()
})
looks('draft-deletion', async (page) => {
  await page.goto(`${sites.sso}/console/draft/provider?id=corp&delete=1`)
  await page.getByRole('button', { name: 'Show the change' }).click()
  await page.getByRole('heading', { name: 'Whom it affects' }).waitFor()
})
looks('disable', async (page) => {
  await page.goto(`${sites.sso}/console/users?q=bob`)
  await page.getByRole('link', { name: 'bob' }).click()
  await page.getByRole('link', { name: 'Disable user' }).click()
  await page.getByRole('heading', { name: 'Disable bob?' }).waitFor()
})
looks('disabled', async (page) => {
  await page.goto(`${sites.sso}/console/users?q=bob`)
  await page.getByRole('link', { name: 'bob' }).click()
  await page.getByRole('link', { name: 'Disable user' }).click()
  await page.getByRole('button', { name: 'Disable user now' }).click()
  await page.getByRole('status').waitFor()
  assert.match(await page.getByRole('status').innerText(), /is disabled now/)
})
looks('right-to-left', async (page) => {
  await page.goto(`${sites.sso}/console/users`)
  await page.evaluate(() => { document.documentElement.dir = 'rtl' })
})
for (const locale of ['de-DE', 'ja-JP', 'fr-FR']) {
  test(`in ${locale}`, () => visit(browser, async ({ page }) => {
    await page.goto(`${sites.sso}/console/configuration`)
    await signIn(page, 'alice')
    await page.locator('h1').waitFor()
    await inspect(page, `console-${locale}`)
  }, { locale }))
}
