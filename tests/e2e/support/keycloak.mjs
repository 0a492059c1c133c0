// The official Keycloak distribution: a server in production mode with its state in memory and an imported realm.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

import { root } from './broker.mjs'
import { freePort } from './net.mjs'
import { startProcess } from './process.mjs'

const ADMIN = { username: 'operator', password: 'operator-password' }

/** The folder that tests/run unpacked and built. */
function home() {
  const folder = join(root, 'target/e2e-keycloak')
  const found = readdirSync(folder).filter((name) => name.startsWith('keycloak-'))
  if (found.length !== 1) throw new Error(`${folder} has no Keycloak; tests/run puts it there`)
  return join(folder, found[0])
}

/**
 * Starts Keycloak on a free port of 127.0.0.1 and imports `realms`, representations as Keycloak exports them.
 *
 * `issuer` and `admin` are those of the first realm, `realm(name)` has those of any: `admin(path, options)` calls the admin API
 * below the realm and returns its response.
 */
export async function startKeycloak(...realms) {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const server = await startProcess('Keycloak', join(home(), 'bin/kc.sh'), [
    'start', '--optimized', '--http-enabled=true', '--http-host=127.0.0.1', `--http-port=${port}`, `--hostname=${origin}`, '--cache=local',
  ], {
    url: `${origin}/realms/master/.well-known/openid-configuration`,
    within: 200_000,
    group: true,
    env: {
      KC_BOOTSTRAP_ADMIN_USERNAME: ADMIN.username,
      KC_BOOTSTRAP_ADMIN_PASSWORD: ADMIN.password,
      JAVA_OPTS_KC_HEAP: '-Xms64m -Xmx512m',
      JAVA_OPTS_APPEND: '-XX:TieredStopAtLevel=1',
    },
  })
  const token = async () => {
    const body = new URLSearchParams({ grant_type: 'password', client_id: 'admin-cli', ...ADMIN })
    const response = await fetch(`${origin}/realms/master/protocol/openid-connect/token`, { method: 'POST', body })
    if (!response.ok) throw new Error(`Keycloak's admin can't sign in: ${await response.text()}`)
    return (await response.json()).access_token
  }
  const call = async (path, { method = 'GET', body } = {}) => {
    const response = await fetch(`${origin}/admin/realms${path}`, {
      method,
      headers: { authorization: `Bearer ${await token()}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`Keycloak, ${method} ${path}: ${response.status} ${text}`)
    return text ? JSON.parse(text) : undefined
  }
  try {
    for (const realm of realms) await call('', { method: 'POST', body: realm })
  } catch (error) {
    await server.stop('SIGKILL')
    throw error
  }
  const realm = (name) => ({ issuer: `${origin}/realms/${name}`, admin: (path, options) => call(`/${name}${path}`, options) })
  return {
    port,
    ...realm(realms[0].realm),
    realm,
    log: server.log,
    close: server.stop,
  }
}

/** A user whose password is the user name, in a realm's representation. */
export function person(username, more = {}) {
  return {
    username,
    enabled: true,
    email: `${username}@corp.example`,
    emailVerified: true,
    firstName: username[0].toUpperCase() + username.slice(1),
    lastName: 'Example',
    credentials: [{ type: 'password', value: username, temporary: false }],
    ...more,
  }
}
