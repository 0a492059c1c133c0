// Tokens bound to an app's key (DPoP, RFC 9449), with a certified library that makes the proofs and uses the nonces.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { App, client, decodeJwt, refusal } from './support/app.mjs'
import { Browser } from './support/browser.mjs'
import { ALICE, APPS, apps, startWorld } from './support/world.mjs'

let world

before(async () => { world = await startWorld() })
after(() => world?.close())

/** A sign-in whose code and tokens are bound to a new key of this algorithm. */
async function signIn(named, algorithm = 'ES256') {
  const app = await App.at(world.issuer, named)
  const handle = async () => client.getDPoPHandle(app.config, await client.randomDPoPKeyPair(algorithm))
  const DPoP = await handle()
  const jkt = await DPoP.calculateThumbprint()
  const { url, checks } = await app.begin({ dpop_jkt: jkt })
  const page = await new Browser([APPS]).signIn(url, { login: 'alice', provider: 'Corporate account' })
  const tokens = await client.authorizationCodeGrant(app.config, page.url, checks, undefined, { DPoP })
  return { app, handle, DPoP, jkt, tokens }
}

test('openid-client binds its tokens, refreshes and reads userinfo, by every algorithm', async () => {
  for (const algorithm of ['ES256', 'ES384', 'PS256', 'RS256']) {
    const { app, DPoP, jkt, tokens } = await signIn(apps.grafana, algorithm)
    assert.equal(tokens.token_type, 'dpop', 'as the library writes it')
    assert.deepEqual(decodeJwt(tokens.access_token).cnf, { jkt })
    const sub = tokens.claims().sub
    const claims = await client.fetchUserInfo(app.config, tokens.access_token, sub, { DPoP })
    assert.equal(claims.email, ALICE.email)
    const state = await app.introspect(tokens.access_token)
    assert.deepEqual([state.active, state.token_type, state.cnf], [true, 'DPoP', { jkt }])
    const next = await client.refreshTokenGrant(app.config, tokens.refresh_token, undefined, { DPoP })
    assert.deepEqual(decodeJwt(next.access_token).cnf, { jkt })
    assert.equal((await client.fetchUserInfo(app.config, next.access_token, sub, { DPoP })).sub, sub)
  }
})

test('a copied token is worth nothing without the key', async () => {
  const { app, handle, tokens } = await signIn(apps.grafana)
  const thief = { DPoP: await handle() }
  const sub = tokens.claims().sub
  for (const options of [undefined, thief]) {
    assert.equal(await refusal(client.fetchUserInfo(app.config, tokens.access_token, sub, options)), 'invalid_token')
  }
})

test('so is the refresh token of a public app', async () => {
  const { app, handle, DPoP, jkt, tokens } = await signIn(apps.cli)
  for (const options of [undefined, { DPoP: await handle() }]) {
    assert.equal(await refusal(client.refreshTokenGrant(app.config, tokens.refresh_token, undefined, options)), 'invalid_grant')
  }
  const next = await client.refreshTokenGrant(app.config, tokens.refresh_token, undefined, { DPoP })
  assert.deepEqual(decodeJwt(next.access_token).cnf, { jkt })
})
