// Debian's Apache with mod_auth_openidc, with a configuration of its own, separate from the machine's service.
import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { folder } from './broker.mjs'
import { startProcess } from './process.mjs'

const MODULES = '/usr/lib/apache2/modules'
const LOADED = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'dir', 'mime', 'filter', 'include', 'auth_openidc']

/** A page that shows what an application behind Apache receives. */
const VARIABLES = '<!doctype html><title>Variables</title><pre><!--#printenv --></pre>'

/**
 * Starts Apache on `port` with `directives` in its configuration and `pages` (folders of the site) that show the variables.
 * `env` is what the directives may name as `${NAME}`.
 */
export async function startApache({ port, directives, pages, env }) {
  const site = Object.fromEntries(pages.map((page) => [join('site', page, 'index.shtml'), VARIABLES]))
  const at = folder({ ...site, 'run/.keep': '' })
  // Apache's workers are not root.
  chmodSync(at, 0o755)
  const log = join(at, 'error.log')
  const conf = `ServerRoot "${at}"
DefaultRuntimeDir "${at}/run"
PidFile "${at}/run/apache.pid"
ServerName 127.0.0.1
Listen 127.0.0.1:${port}
User www-data
Group www-data
ErrorLog "${log}"
LogLevel warn auth_openidc:info
${LOADED.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
StartServers 1
ServerLimit 1
ThreadsPerChild 8
MaxRequestWorkers 8
DocumentRoot "${at}/site"
TypesConfig /dev/null
DirectoryIndex index.shtml
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
<Directory "${at}/site">
  Options +Includes
</Directory>
${directives}
`
  const file = join(folder({ 'apache.conf': conf }), 'apache.conf')
  const server = await startProcess('Apache', '/usr/sbin/apache2', ['-f', file, '-DFOREGROUND'], {
    url: `http://127.0.0.1:${port}/signed-out/`, env,
  }).catch((error) => { throw new Error(`${error.message}\n${logged(log)}`) })
  return { address: `http://127.0.0.1:${port}`, log: () => logged(log), close: server.stop }
}

function logged(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return 'Apache logged nothing'
  }
}

/** The variables on a page, except those of the server and the request. */
export function variables(page) {
  const lines = page.root.querySelector('pre').textContent.split('\n').map((line) => /^((?:OIDC_|REMOTE_USER)[^=]*)=(.*)$/.exec(line)).filter(Boolean)
  return Object.fromEntries(lines.map(([, name, value]) => [name, value]))
}
