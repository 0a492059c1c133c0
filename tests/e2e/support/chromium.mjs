// A real Chromium, three sites, and what every page must hold: no console error, no sideways scrolling, no barrier.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

import { chromium } from 'playwright-core'

import { pictures } from './broker.mjs'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Starts Chromium. `*.test` is this machine, everything else is nowhere; only the key with `spki` is trusted. */
export function launch({ spki } = {}) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
      ...(spki ? [`--ignore-certificate-errors-spki-list=${spki}`] : []),
    ],
  })
}

/** A fresh profile with one page; `problems` collects console errors, CSP violations, script errors, failed requests. */
export async function visit(browser, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 }, ...options })
  context.setDefaultTimeout(10_000)
  const problems = []
  const page = await context.newPage()
  page.on('console', (message) => {
    if (message.type() === 'error' || /Content Security Policy|refused to/i.test(message.text())) problems.push(`console: ${message.text()} (${message.location().url})`)
  })
  page.on('pageerror', (error) => problems.push(`script: ${error.message}`))
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText
    if (why !== 'net::ERR_ABORTED') problems.push(`request: ${why} ${request.url()}`)
  })
  return { context, page, problems, close: () => context.close() }
}

/** A page of ours as a person meets it, light and dark, wide and on a phone: pictures, no sideways scrolling, axe. */
export async function inspect(page, name, { browserErrors = [] } = {}) {
  mkdirSync(pictures, { recursive: true })
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 800 })
      await page.screenshot({ path: join(pictures, `${name}-${colorScheme}-${width}.png`), fullPage: true })
      const [wide, fits] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth])
      assert.ok(wide <= fits, `${name} at ${width} px scrolls sideways: ${wide} > ${fits}`)
    }
    await page.evaluate(axe)
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
    const serious = violations.filter((violation) => ['serious', 'critical'].includes(violation.impact))
    assert.deepEqual(serious.map(({ id, help, nodes }) => ({ id, help, where: nodes.map((node) => node.html) })), [], `${name}, ${colorScheme}`)
  }
  assert.deepEqual(browserErrors, [], name)
  await page.setViewportSize({ width: 1280, height: 800 })
  await page.emulateMedia({ colorScheme: 'light' })
}
