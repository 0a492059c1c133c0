// A person with a browser without script: cookies, redirects, links and forms.
import http from 'node:http'
import https from 'node:https'
import { text } from 'node:stream/consumers'

import { parse } from 'node-html-parser'
import { CookieJar } from 'tough-cookie'

/** What the person sees, or (`left`) the address at an app where the browser arrived. */
export class Page {
  constructor(browser, { url, status, headers, body, left = false }) {
    Object.assign(this, { browser, url: new URL(url), status, headers, body, left })
    // Without script, what `noscript` has is part of the page.
    this.root = parse(body ?? '', { blockTextElements: { script: true, style: true, pre: true } })
  }

  get text() {
    return this.root.structuredText.replace(/[ \t]+/g, ' ').trim()
  }

  toString() {
    return `${this.status} ${this.url}\n${this.text}`
  }

  has(selector) {
    return this.root.querySelector(selector) !== null
  }

  /** The link or button that shows `label`. */
  #control(label) {
    const controls = this.root.querySelectorAll('a[href], button, input[type=submit]')
    const shown = (node) => (node.tagName === 'INPUT' ? node.getAttribute('value') : node.structuredText) ?? ''
    const found = controls.find((node) => shown(node).replace(/\s+/g, ' ').includes(label))
    if (!found) throw new Error(`nothing to click that says "${label}" on\n${this}`)
    return found
  }

  /** Submits the page's only form, after filling `fields` into it. */
  submit(fields) {
    const [button, ...others] = this.root.querySelectorAll('form button, form input[type=submit]')
    if (!button || others.length) throw new Error(`not one form with one button on\n${this}`)
    return this.#submit(button, fields)
  }

  /** Clicks the link or button that shows `label`, after filling `fields` into its form. */
  click(label, fields = {}) {
    const control = this.#control(label)
    if (control.tagName === 'A') return this.browser.open(new URL(control.getAttribute('href'), this.url))
    return this.#submit(control, fields)
  }

  #submit(control, fields) {
    const formId = control.getAttribute('form')
    const form = formId ? this.root.querySelectorAll('form').find((f) => f.id === formId) : control.closest('form')
    if (!form) throw new Error(`a button that belongs to no form on\n${this}`)
    const values = new URLSearchParams()
    for (const input of form.querySelectorAll('input[name]')) {
      const box = ['checkbox', 'radio'].includes(input.getAttribute('type'))
      if (input.getAttribute('type') === 'submit' || (box && !input.hasAttribute('checked'))) continue
      values.append(input.getAttribute('name'), input.getAttribute('value') ?? (box ? 'on' : ''))
    }
    for (const [name, value] of Object.entries(fields)) values.set(name, value)
    if (control.getAttribute('name')) values.append(control.getAttribute('name'), control.getAttribute('value') ?? '')
    const action = new URL(form.getAttribute('action') || this.url, this.url)
    if ((form.getAttribute('method') ?? 'get').toLowerCase() === 'get') {
      action.search = values
      return this.browser.open(action)
    }
    return this.browser.open(action, { method: 'POST', body: values, headers: { origin: this.url.origin } })
  }
}

/**
 * One request as a browser sends it for a navigation. It does not use `fetch`, which sends `sec-fetch-mode: cors`: to scripts,
 * mod_auth_openidc responds with 401 instead of the redirect to the sign-in.
 */
async function send({ url, method, body }, headers, ca) {
  const form = body && { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' }
  const all = { ...headers, ...form, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
  const request = (url.protocol === 'https:' ? https : http).request(url, { method, agent: false, headers: all, timeout: 30_000, ca })
  request.once('timeout', () => request.destroy(new Error(`no answer within 30 s: ${method} ${url}`)))
  const answered = new Promise((resolve, reject) => { request.once('response', resolve).once('error', reject) })
  request.end(body?.toString())
  const response = await answered
  const received = new Headers()
  for (let at = 0; at < response.rawHeaders.length; at += 2) received.append(response.rawHeaders[at], response.rawHeaders[at + 1])
  return { status: response.statusCode, headers: received, body: await text(response) }
}

/** One browser: a cookie jar that several apps, the broker and the IdPs share. */
export class Browser {
  /** `apps`: addresses that nobody serves; arriving there ends a navigation. `ca`: the only certificate that it trusts. */
  constructor(apps = [], { ca } = {}) {
    this.jar = new CookieJar()
    this.apps = apps
    this.ca = ca
    this.visited = []
    /** What servers answered, in order: `{ url, status, headers }`. */
    this.answers = []
  }

  /** Goes to `url` and follows redirects to the last page. */
  async open(url, { method = 'GET', body, headers = {} } = {}) {
    let next = { url: new URL(url), method, body }
    for (let hops = 0; hops < 25; hops += 1) {
      this.visited.push(`${next.method} ${next.url}`)
      if (this.apps.some((app) => next.url.href.startsWith(app))) {
        return new Page(this, { url: next.url, status: 0, body: '', left: true })
      }
      const cookie = await this.jar.getCookieString(next.url.href)
      const response = await send(next, { accept: 'text/html', 'accept-language': 'en', ...headers, ...(cookie ? { cookie } : {}) }, this.ca)
      this.answers.push({ url: next.url, status: response.status, headers: response.headers })
      for (const line of response.headers.getSetCookie()) await this.jar.setCookie(line, next.url.href)
      const location = response.headers.get('location')
      if (response.status < 300 || response.status >= 400 || !location) {
        const page = new Page(this, { url: next.url, status: response.status, headers: response.headers, body: response.body })
        const refresh = page.root.querySelector('meta[http-equiv=refresh]')?.getAttribute('content')
        if (!refresh) return page
        next = { url: new URL(/^0;\s*url=(.*)$/i.exec(refresh)[1], next.url), method: 'GET' }
        continue
      }
      const same = response.status === 307 || response.status === 308
      next = { url: new URL(location, next.url), method: same ? next.method : 'GET', body: same ? next.body : undefined }
    }
    throw new Error(`a redirect loop: ${this.visited.slice(-6).join(' → ')}`)
  }

  /**
   * Goes from `url` to an app's address: clicks `provider` if the broker offers several, logs in as `login` if an IdP asks
   * (oidc-provider with our form, or another with its own, where the login is the password too). Fails with the page's text
   * on any other page; a test that expects a page uses `open` instead.
   */
  async signIn(url, { login, provider } = {}) {
    let page = url instanceof Page ? url : await this.open(url)
    for (let steps = 0; steps < 6 && !page.left; steps += 1) {
      if (page.has('#kc-form-login') && login) page = await page.click('Sign In', { username: login, password: login })
      else if (page.has('input[name=password]') && login) page = await page.submit({ username: login, password: login })
      else if (page.has('input[name=login]') && login) page = await page.click('Log in', { login })
      // A response in a form (response_mode=form_post), which a browser with script posts by itself.
      else if (page.has('form[method=post] input[name=state]')) page = await page.click('Continue')
      else if (page.status === 200 && provider && page.text.includes(provider)) page = await page.click(provider)
      else throw new Error(`the sign-in stops at ${page}`)
    }
    return page
  }
}
