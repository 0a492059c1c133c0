// The IdP, the browser and the app sign a person in without a broker between them.
// If this fails, the test environment is broken, not the product.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { App, person } from './support/app.mjs'
import { Browser } from './support/browser.mjs'
import { startIdp } from './support/idp.mjs'

const CALLBACK = 'http://127.0.0.1:9/callback'
let idp

before(async () => {
  idp = await startIdp({
    name: 'parts',
    accounts: { alice: { name: 'Alice Example', groups: ['sre'] } },
    brokers: [{
      client_id: 'app', client_secret: 'app-secret', redirect_uris: [CALLBACK],
      post_logout_redirect_uris: ['http://127.0.0.1:9/bye'], grant_types: ['authorization_code', 'refresh_token'],
    }],
  })
})

after(() => idp?.close())

test('openid-client signs in at oidc-provider', async () => {
  const browser = new Browser(['http://127.0.0.1:9/'])
  const app = await App.at(idp.issuer, { id: 'app', secret: 'app-secret', redirectUri: CALLBACK, scope: 'openid profile' })
  const { claims, tokens } = await app.signIn(browser, { login: 'alice' })
  assert.deepEqual(person(claims), { name: 'Alice Example', groups: ['sre'] })
  assert.equal(claims.sub, 'alice')

  await app.signIn(browser, {})
  assert.equal(idp.counts.logins, 1, 'the second sign-in needs no form')

  const confirm = await browser.open(app.endSession({ id_token_hint: tokens.id_token, post_logout_redirect_uri: 'http://127.0.0.1:9/bye', state: 's' }))
  assert.equal((await confirm.click('Log out')).url.href, 'http://127.0.0.1:9/bye?state=s')
})
