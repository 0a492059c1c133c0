// A real Chromium, and what every page must satisfy: no console errors, no sideways scrolling, no accessibility violations.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

import { chromium } from 'playwright-core'

import { pictures } from './broker.mjs'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Starts Chromium. `*.test` resolves to this machine, nothing else resolves; only the key with `spki` is trusted. */
export function launch({ spki } = {}) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
      ...(spki ? [`--ignore-certificate-errors-spki-list=${spki}`] : []),
    ],
  })
}

/**
 * Runs `steps({ page, context })` with a fresh profile. Fails on any console error, CSP violation, script error or failed
 * request that `expected` does not match; when a step fails, reports the browser's address and these errors.
 */
export async function visit(browser, steps, { expected, ...options } = {}) {
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 }, ...options })
  context.setDefaultTimeout(10_000)
  const problems = []
  const report = (problem) => { if (!expected?.test(problem)) problems.push(problem) }
  context.on('page', (page) => {
    page.on('console', (message) => {
      if (message.type() === 'error' || /Content Security Policy|refused to/i.test(message.text())) report(`console: ${message.text()} (${message.location().url})`)
    })
    page.on('pageerror', (error) => report(`script: ${error.message}`))
    page.on('requestfailed', (request) => {
      const why = request.failure()?.errorText
      if (why !== 'net::ERR_ABORTED') report(`request: ${why} ${request.url()}`)
    })
  })
  const page = await context.newPage()
  try {
    await steps({ page, context })
    assert.deepEqual(problems, [])
  } catch (error) {
    const shown = await page.locator('body').innerText({ timeout: 1_000 }).catch(() => 'nothing')
    throw new Error(`${error.message}\nThe page is ${page.url()} and shows:\n${shown}\nThe browser reports: ${problems.join('\n') || 'nothing'}`, { cause: error })
  } finally {
    await context.close()
  }
}

/** Checks a page of the broker, light and dark, wide and on a phone: screenshots, no sideways scrolling, axe. */
export async function inspect(page, name) {
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
  await page.setViewportSize({ width: 1280, height: 800 })
  await page.emulateMedia({ colorScheme: 'light' })
}
