// Debian's nginx, with a configuration of its own, separate from the machine's service.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { startProcess } from './process.mjs'

/** Starts nginx in `folder` with these `server` blocks; it is up once `port` answers TLS. */
export async function startNginx({ folder, servers, port }) {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${kind};`)
  writeFileSync(join(folder, 'nginx.conf'), `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr info;
events {}
http {
  access_log off;
  ${temporary.join('\n  ')}
${servers}
}
`)
  const { stop, log } = await startProcess('nginx', '/usr/sbin/nginx', ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], {
    // Plain HTTP to the TLS port is answered with 400, which is an answer.
    url: `http://127.0.0.1:${port}/`, cwd: folder,
  })
  return { log, close: () => stop('SIGTERM') }
}
