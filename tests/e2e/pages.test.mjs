// Every page that people see: screenshots (target/pictures), phone width, axe, an empty console.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { inspect, launch, visit } from './support/chromium.mjs'
import { startSites } from './support/sites.mjs'
import { until } from './support/until.mjs'

const PROVIDERS = ['Australian office', 'Берлин', 'Contractors', 'Dolphin GmbH & Co. KG, Abteilung für Öffentlichkeitsarbeit', 'École Nord', '東京支社']

let sites, browser

before(async () => {
  // An app with eight providers: the page has a search field for more than six.
  sites = await startSites(({ app }) => PROVIDERS.map((name, index) => `
[providers.p${index}]
name = "${name}"
issuer = "https://p${index}.test"
client_id = "countersign"
client_secret = { file = "web-secret" }
asserted_roles = []
hidden = true
`).join('') + `
[clients.many]
client_name = "Timesheets"
client_secret = { file = "web-secret" }
redirect_uris = ["${app}/callback"]
providers = ["corp", "partner", ${PROVIDERS.map((_, index) => `"p${index}"`).join(', ')}]
`)
  browser = await launch(sites.tls)
})
after(async () => { await browser?.close(); await sites?.close() })

async function signIn(page, id = 'web') {
  await page.goto(`${sites.app}/login?id=${id}`)
  await page.getByRole('button', { name: 'Corporate account' }).click()
  await page.getByLabel('Login').fill('bob')
  await page.getByRole('button', { name: 'Log in' }).click()
}

/** Opens one page and checks it. A status of 4xx appears in the console as a failed load; nothing else may appear. */
function looks(name, arrive, { status = 200 } = {}) {
  test(name, () => visit(browser, async ({ page }) => {
    let document
    page.on('response', (response) => { if (response.request().isNavigationRequest() && response.frame() === page.mainFrame() && response.status() !== 303) document = response })
    await arrive(page)
    assert.equal(new URL(page.url()).origin, sites.sso)
    assert.equal(document.status(), status)
    assert.match(document.headers()['content-security-policy'], /default-src 'none'/)
    assert.equal(document.headers()['cache-control'], 'no-store')
    await inspect(page, name)
  }, status === 200 ? {} : { expected: new RegExp(`status of ${status}`) }))
}

looks('sign-in', async (page) => {
  await page.goto(`${sites.app}/login`)
  await page.getByRole('button', { name: 'Corporate account' }).waitFor()
})

looks('sign-in-many', async (page) => {
  await page.goto(`${sites.app}/login?id=many`)
  const search = page.getByRole('searchbox')
  await search.fill('tokyo')
  await page.getByText('No organisation matches').waitFor()
  await search.fill('ecole')
  await page.getByRole('button', { name: 'École Nord' }).waitFor()
  assert.equal(await page.getByRole('button', { name: 'Берлин' }).count(), 0)
  await search.fill('')
})

test('Enter takes the only provider that the search leaves', () => visit(browser, async ({ page }) => {
  await page.goto(`${sites.app}/login?id=many`)
  const search = page.getByRole('searchbox')
  await search.fill('account')
  await search.press('Enter')
  assert.equal(new URL(page.url()).origin, sites.sso, 'two are left')
  await search.fill('corporate')
  await search.press('Enter')
  await page.getByLabel('Login').waitFor()
}))

looks('consent', async (page) => {
  await signIn(page, 'asks')
  await page.getByRole('button', { name: 'Allow', exact: true }).waitFor()
})

looks('error-request', async (page) => {
  await page.goto(`${sites.sso}/oauth2/authorize?client_id=nobody&redirect_uri=https://evil.test/&response_type=code`)
  await page.getByText('invalid_client').waitFor()
}, { status: 400 })

looks('error-refused', async (page) => {
  await signIn(page, 'vault')
  await page.getByText('client_requirement_not_met').waitFor()
  await page.getByRole('link', { name: /Back to Vault/ }).waitFor()
  await page.getByRole('button', { name: 'Use another account' }).waitFor()
}, { status: 403 })

looks('error-not-found', async (page) => {
  await page.goto(`${sites.sso}/no/such/page`)
  await page.getByText('not_found').waitFor()
}, { status: 404 })

looks('confirm-sign-out', async (page) => {
  await signIn(page)
  await page.waitForURL(/\/callback/)
  await page.goto(`${sites.sso}/oauth2/logout`)
  await page.getByRole('button', { name: 'Sign out' }).waitFor()
})

looks('signed-out', async (page) => {
  await page.goto(`${sites.sso}/oauth2/logout`)
  await page.getByRole('heading').waitFor()
})

looks('signing-out', async (page) => {
  // Without the script that redirects, the page stays and can be checked.
  await page.route('**/static/page.js*', (route) => route.fulfill({ contentType: 'text/javascript', body: '' }))
  await signIn(page, 'team')
  await page.getByRole('link', { name: 'Sign out' }).click()
  await page.getByRole('heading', { name: 'Signing you out' }).waitFor()
})

looks('home', async (page) => {
  await page.goto(`${sites.sso}/`)
  await page.getByRole('heading').waitFor()
})

for (const [locale, words] of [['de', 'Wiki 百科'], ['ja', 'Wiki 百科']]) {
  looks(`sign-in-${locale}`, async (page) => {
    await page.goto(`${sites.app}/login?ui_locales=${locale}`)
    await page.getByRole('heading', { name: new RegExp(words) }).waitFor()
    assert.equal(await page.locator('html').getAttribute('lang'), locale)
  })
}

// The last page: from here on, this address is refused.
looks('error-rate-limited', async (page) => {
  sites.broker.save(`${sites.broker.read()}\n[limits]\nper_address = { rate = "1/h", burst = 1 }\n`)
  await until('this address is refused', async () => {
    await page.goto(`${sites.app}/login`)
    return page.getByText('rate_limited').isVisible()
  })
}, { status: 429 })
