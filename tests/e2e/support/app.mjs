// An app: openid-client (certified) as a web framework would use it.
import assert from 'node:assert/strict'

import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import * as client from 'openid-client'

/** How an app authenticates at the token endpoint. */
export const methods = {
  client_secret_basic: (secret) => client.ClientSecretBasic(secret),
  client_secret_post: (secret) => client.ClientSecretPost(secret),
  none: () => client.None(),
}

export class App {
  /** Discovers the issuer, as an app does when it starts. */
  static async at(issuer, { id, secret, method = 'client_secret_basic', redirectUri, scope = 'openid profile email groups', fetch: via }) {
    const config = await client.discovery(new URL(issuer), id, { client_secret: secret, id_token_signed_response_alg: 'RS256' }, methods[method](secret), {
      execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
      ...(via ? { [client.customFetch]: via } : {}),
    })
    return Object.assign(new App(), { issuer, id, config, redirectUri, scope })
  }

  /** The authorization URL, and what the app stores until the visitor returns. */
  async begin(extra = {}) {
    const pkceCodeVerifier = client.randomPKCECodeVerifier()
    const checks = { pkceCodeVerifier, expectedState: client.randomState(), expectedNonce: client.randomNonce(), idTokenExpected: this.scope.includes('openid') }
    if (!checks.idTokenExpected) delete checks.expectedNonce
    const url = client.buildAuthorizationUrl(this.config, {
      redirect_uri: this.redirectUri,
      scope: this.scope,
      state: checks.expectedState,
      ...(checks.expectedNonce ? { nonce: checks.expectedNonce } : {}),
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      ...extra,
    })
    if (extra.max_age !== undefined) checks.maxAge = Number(extra.max_age)
    return { url, checks }
  }

  /** Handles the visitor who returned with `url`: state, iss, code exchange, ID token with its signature. */
  finish(url, checks) {
    return client.authorizationCodeGrant(this.config, url, checks)
  }

  /** The whole sign-in: `{ tokens, claims, page }`. */
  async signIn(browser, person, extra = {}) {
    const { url, checks } = await this.begin(extra)
    const page = await browser.signIn(url, person)
    assert.ok(page.url.href.startsWith(this.redirectUri), `back at the app: ${page.url}`)
    const tokens = await this.finish(page.url, checks)
    return { tokens, claims: tokens.claims(), page }
  }

  userinfo(tokens, sub = tokens.claims().sub) {
    return client.fetchUserInfo(this.config, tokens.access_token, sub)
  }

  refresh(token, extra) {
    return client.refreshTokenGrant(this.config, token, extra)
  }

  introspect(token, hint) {
    return client.tokenIntrospection(this.config, token, hint ? { token_type_hint: hint } : undefined)
  }

  revoke(token) {
    return client.tokenRevocation(this.config, token)
  }

  endSession(parameters) {
    return client.buildEndSessionUrl(this.config, parameters)
  }

  /** Verifies an access token as an API does: with a JOSE library, the key set, issuer and audience. */
  async verifyAccessToken(token, audience = this.id) {
    const keys = createRemoteJWKSet(new URL(this.config.serverMetadata().jwks_uri))
    return jwtVerify(token, keys, { issuer: this.issuer, audience, typ: 'at+jwt' })
  }
}

/** The claims about the person, without those of the protocol. */
export function person(claims) {
  const protocol = ['iss', 'aud', 'sub', 'exp', 'iat', 'nbf', 'jti', 'nonce', 'auth_time', 'acr', 'amr', 'azp', 'sid', 'at_hash', 'c_hash', 's_hash', 'client_id', 'scope']
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !protocol.includes(name)))
}

/** The error code with which a grant or request was refused (RFC 6749 §5.2). */
export async function refusal(promise) {
  try {
    await promise
  } catch (error) {
    // For a 401 with a challenge, openid-client reports the challenge; the code is in the body (RFC 6749 §5.2).
    if (error instanceof client.WWWAuthenticateChallengeError) return (await error.response.json()).error
    return error.error ?? `${error.name}: ${error.message}`
  }
  return 'not refused'
}

export { client, decodeJwt }
