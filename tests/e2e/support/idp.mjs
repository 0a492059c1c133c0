// A real identity provider: the certified `oidc-provider`, with named people and a login form instead of passwords.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import http from 'node:http'

import Provider from 'oidc-provider'

import { close, listen } from './net.mjs'

const SCOPES = {
  openid: ['sub', 'acr', 'amr'],
  profile: ['name', 'given_name', 'family_name', 'preferred_username', 'picture', 'groups', 'roles'],
  email: ['email', 'email_verified'],
}

/** A fresh private key for signing with `alg`. */
export function signingKey(alg = 'RS256') {
  const kinds = { ES256: ['ec', { namedCurve: 'P-256' }], ES384: ['ec', { namedCurve: 'P-384' }], EdDSA: ['ed25519'], Ed25519: ['ed25519'] }
  const [kind, options] = kinds[alg] ?? ['rsa', { modulusLength: 2048 }]
  const jwk = generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' })
  return { ...jwk, use: 'sig', alg, kid: randomBytes(4).toString('hex') }
}

function page(title, body) {
  return `<!doctype html><html lang="en"><title>${title}</title><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><h1>${title}</h1>${body}</html>`
}

/** The login page that people see at the IdP. */
function loginPage(name, action, hint) {
  return page(`${name}: log in`, `<form method="post" action="${action}">
<label>Login <input name="login" autofocus value="${String(hint ?? '').replace(/[^a-z0-9@.]/gi, '')}"></label>
<button name="action" value="login">Log in</button> <button name="action" value="refuse">Cancel</button></form>`)
}

/**
 * Starts an IdP on `port` of 127.0.0.1.
 *
 * - `name`: part of its page titles and of its cookies' names, since all ports of a host share cookies.
 * - `accounts`: `{ login: claims }`; `claims.sub` defaults to the login. Held by reference: a test may change them.
 * - `brokers`: the clients, as oidc-provider takes them. Held by value.
 * - `claimsIn`: `id_token` (all claims are in it, as with many IdPs) or `userinfo` (Core §5.4).
 * - `publicUrl`: the issuer, if it is not the address because a TLS proxy passes requests on to the port.
 * - `path`: what follows the address in the issuer, `/tenant/one` or a slash alone. Nothing is served beside it.
 * - `settings`: oidc-provider's own, in place of those below; its `features` are added to them.
 * - `formPostOnly`: authorization responses in the query are refused, and the discovery document says so.
 */
export async function startIdp({ name, port = 0, accounts, brokers, claimsIn = 'id_token', publicUrl, path = '', settings = {}, formPostOnly = false }) {
  const server = http.createServer()
  const bound = await listen(server, port)
  const issuer = publicUrl ?? `http://127.0.0.1:${bound}${path}`
  const mount = path.replace(/\/$/, '')
  const counts = { logins: 0 }
  const provider = new Provider(issuer, {
    clients: brokers,
    jwks: settings.jwks ?? { keys: [signingKey()] },
    cookies: {
      keys: [randomBytes(16).toString('hex')],
      names: { interaction: `${name}_interaction`, resume: `${name}_resume`, session: `${name}_session` },
    },
    claims: SCOPES,
    scopes: ['openid', 'offline_access', 'profile', 'email'],
    conformIdTokenClaims: claimsIn === 'userinfo',
    acrValues: ['urn:example:silver'],
    ttl: { AccessToken: 3600, AuthorizationCode: 60, IdToken: 3600, Interaction: 600, Grant: 86_400, Session: 86_400, RefreshToken: 86_400 },
    pkce: { required: () => false },
    ...settings,
    features: {
      ...settings.features,
      devInteractions: { enabled: false },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = page(`${name}: log out`, `${form}<button form="op.logoutForm" name="logout" value="yes">Log out</button>`)
        },
      },
    },
    interactions: { url: (ctx, interaction) => `${mount}/interaction/${interaction.uid}` },
    async findAccount(ctx, login) {
      const claims = accounts[login]
      return claims && { accountId: login, claims: () => ({ ...claims, sub: claims.sub ?? login }) }
    },
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId })
      grant.addOIDCScope(ctx.oidc.params.scope)
      await grant.save()
      return grant
    },
    renderError: (ctx, out) => { ctx.body = page(`${name}: error`, `<p>${out.error}: ${out.error_description ?? ''}</p>`) },
  })
  provider.proxy = publicUrl !== undefined
  provider.use(async (ctx, next) => {
    if (formPostOnly && ctx.path === '/auth' && ctx.query.response_mode !== 'form_post') {
      ctx.body = page(`${name}: error`, '<p>response_mode: only form_post is allowed for this client</p>')
      return
    }
    if (!ctx.path.startsWith('/interaction/')) {
      await next()
      if (formPostOnly && ctx.path === '/.well-known/openid-configuration') ctx.body.response_modes_supported = ['form_post']
      return
    }
    const { uid, params, prompt } = await provider.interactionDetails(ctx.req, ctx.res)
    if (prompt.name === 'consent') {
      // The grant below covers what was requested; a client that asks for consent gets it at once.
      await provider.interactionFinished(ctx.req, ctx.res, { consent: {} }, { mergeWithLastSubmission: true })
      ctx.respond = false
      return
    }
    if (ctx.method === 'GET') {
      ctx.body = loginPage(name, `${mount}/interaction/${uid}`, params.login_hint)
      return
    }
    const body = new URLSearchParams(await text(ctx.req))
    if (body.get('action') === 'refuse' || !accounts[body.get('login')]) {
      await provider.interactionFinished(ctx.req, ctx.res, { error: 'access_denied', error_description: 'the person refused' })
    } else {
      counts.logins += 1
      const login = { accountId: body.get('login'), amr: ['pwd', 'mfa'], acr: 'urn:example:silver', ts: Math.floor(Date.now() / 1000) }
      await provider.interactionFinished(ctx.req, ctx.res, { login }, { mergeWithLastSubmission: false })
    }
    ctx.respond = false
  })
  const handle = provider.callback()
  server.on('request', (request, response) => {
    if (publicUrl) {
      // The back channel goes directly to the port, and has the same issuer as the front channel.
      request.headers['x-forwarded-proto'] = 'https'
      request.headers['x-forwarded-host'] = new URL(publicUrl).host
    }
    if (mount) {
      if (!request.url.startsWith(`${mount}/`)) {
        response.writeHead(404).end()
        return
      }
      // As a framework mounts an application below a path.
      request.originalUrl = request.url
      request.url = request.url.slice(mount.length)
    }
    handle(request, response)
  })
  return { name, issuer, port: bound, accounts, counts, close: () => close(server) }
}

async function text(stream) {
  let all = ''
  for await (const chunk of stream) all += chunk
  return all
}

/** The broker's client registration at an IdP. */
export function broker(issuer, providerId, { secret = `${providerId}-secret`, ...more } = {}) {
  return {
    client_id: 'countersign',
    client_secret: secret,
    redirect_uris: [`${issuer}/callback/${providerId}`],
    post_logout_redirect_uris: [`${issuer}/logout/callback/${providerId}`],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    require_auth_time: true,
    ...more,
  }
}
