// deploy/: what is there is read by the programs that read it in production, as far as they run without a cluster.
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { join, relative } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'

import { binary, folder, root, run } from './support/broker.mjs'
import { close, freePort, listen } from './support/net.mjs'
import { startProcess } from './support/process.mjs'
import { until } from './support/until.mjs'

const command = promisify(execFile)
const tool = (name) => join(root, 'target/e2e-deploy/bin', name)
const deploy = (name) => join(root, 'deploy', name)
const read = (name) => readFileSync(deploy(name), 'utf8')

/** A certificate for a host, its key, and the authority that issued it. */
function issued(host) {
  const at = folder({ ext: `subjectAltName=DNS:${host}\nextendedKeyUsage=serverAuth\n` })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const openssl = (...args) => execFileSync('openssl', args, { cwd: at, stdio: ['ignore', 'ignore', 'pipe'] })
  openssl('req', '-x509', ...key, '-days', '2', '-subj', '/CN=an authority of the tests', '-keyout', 'ca.key', '-out', 'ca.pem')
  openssl('req', ...key, '-subj', `/CN=${host}`, '-keyout', 'key', '-out', 'csr')
  openssl('x509', '-req', '-in', 'csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'ext', '-out', 'cert')
  const text = (name) => readFileSync(join(at, name), 'utf8')
  return { cert: text('cert'), key: text('key'), authority: text('ca.pem') }
}

/** The names of the secret files that a configuration names. */
const secrets = (toml, at) => [...toml.matchAll(new RegExp(`${at}([a-z0-9.-]+)`, 'g'))].map(([, name]) => name).sort()

describe('systemd', () => {
  /** A root folder with the unit and these drop-ins, and with the program where the unit looks for it. */
  function installed(...dropIns) {
    const at = folder({ 'etc/systemd/system/countersign.service': read('systemd/countersign.service'), 'usr/local/bin/countersign': '', 'bin/kill': '' })
    for (const program of ['usr/local/bin/countersign', 'bin/kill']) chmodSync(join(at, program), 0o755)
    for (const name of dropIns) {
      mkdirSync(join(at, 'etc/systemd/system/countersign.service.d'), { recursive: true })
      cpSync(deploy(`systemd/${name}`), join(at, 'etc/systemd/system/countersign.service.d', name))
    }
    // The units that it is ordered after are systemd's own.
    cpSync('/lib/systemd/system', join(at, 'lib/systemd/system'), { recursive: true, dereference: false })
    return at
  }

  for (const [dropIns, most] of [[[], 1.2], [['port-443.conf'], 1.6]]) {
    test(`the unit is understood and exposes little${dropIns.map((name) => `, with ${name}`)}`, async () => {
      const at = installed(...dropIns)
      const verified = await command('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', `--root=${at}`, 'countersign.service'])
      assert.equal(verified.stdout + verified.stderr, '')
      const { stdout } = await command('systemd-analyze', ['security', '--offline=true', '--no-pager', `--root=${at}`, 'countersign.service'])
      const [, exposure] = /Overall exposure level for countersign\.service: ([\d.]+)/.exec(stdout)
      assert.ok(Number(exposure) <= most, stdout)
    })
  }

  test('the configuration passes the check and finds its secrets among the credentials', async () => {
    const { code, stdout } = await run(['check', '--strict', '--without-secrets', deploy('systemd/broker.toml')])
    assert.equal(code, 0, stdout)
    assert.deepEqual(secrets(read('systemd/broker.toml'), '/run/credentials/countersign\\.service/secrets_'), ['corp', 'grafana'])
    assert.match(read('systemd/countersign.service'), /^LoadCredential=secrets:/m)
  })
})

describe('Kubernetes', () => {
  const files = readdirSync(deploy('kubernetes')).filter((name) => name.endsWith('.yaml')).map((name) => deploy(`kubernetes/${name}`))
  const script = 'import json, sys, yaml\nprint(json.dumps([d for f in sys.argv[1:] for d in yaml.safe_load_all(open(f))]))'
  const objects = JSON.parse(execFileSync(tool('python'), ['-c', script, ...files]))
  const the = (kind) => {
    const found = objects.filter((object) => object.kind === kind)
    assert.equal(found.length, 1, kind)
    return found[0]
  }

  for (const version of ['1.32', '1.37']) {
    test(`the manifests fit the schema of Kubernetes ${version}`, async () => {
      const { stdout } = await command(tool('kubernetes-validate'), ['--strict', '-k', `${version}.0`, ...files])
      assert.equal(stdout.match(/passed/g)?.length, objects.length, stdout)
    })
  }

  test('the configuration passes the check, and each of its secrets is a key of the Secret', async () => {
    const toml = the('ConfigMap').data['broker.toml']
    const at = folder({ 'broker.toml': toml })
    const { code, stdout } = await run(['check', '--strict', '--without-secrets', join(at, 'broker.toml')])
    assert.equal(code, 0, stdout)
    assert.deepEqual(secrets(toml, '/run/secrets/countersign/'), Object.keys(the('Secret').stringData).sort())
  })

  test('ports, labels and volumes fit together', () => {
    const { template, selector } = the('Deployment').spec
    const [container] = template.spec.containers
    const toml = the('ConfigMap').data['broker.toml']
    const ports = Object.fromEntries(container.ports.map(({ name, containerPort }) => [name, containerPort]))
    assert.ok(toml.includes(`listen = ["0.0.0.0:${ports.http}"]`) && toml.includes(`listen = "0.0.0.0:${ports.admin}"`), toml)
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) assert.equal(container[probe].httpGet.port, 'admin')
    assert.equal(container.livenessProbe.httpGet.path, '/healthz')
    const labels = template.metadata.labels
    for (const other of [selector.matchLabels, the('Service').spec.selector, the('PodDisruptionBudget').spec.selector.matchLabels, the('NetworkPolicy').spec.podSelector.matchLabels]) assert.deepEqual(other, labels)
    assert.equal(the('Ingress').spec.rules[0].http.paths[0].backend.service.name, the('Service').metadata.name)
    const mounted = Object.fromEntries(container.volumeMounts.map(({ name, mountPath, subPath }) => [mountPath, subPath ?? name]))
    assert.deepEqual(mounted, { '/etc/countersign': 'config', '/run/secrets/countersign': 'secrets' })
    assert.ok(container.args.includes('/etc/countersign/broker.toml'))
    assert.ok(template.spec.terminationGracePeriodSeconds > container.lifecycle.preStop.sleep.seconds + 20)
  })

  test('the pod meets the restricted standard that its namespace enforces', () => {
    assert.equal(the('Namespace').metadata.labels['pod-security.kubernetes.io/enforce'], 'restricted')
    const { spec } = the('Deployment').spec.template
    const [{ securityContext }] = spec.containers
    assert.deepEqual(securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } })
    assert.ok(spec.securityContext.runAsNonRoot && spec.securityContext.runAsUser > 0)
    assert.equal(spec.securityContext.seccompProfile.type, 'RuntimeDefault')
    assert.equal(spec.automountServiceAccountToken, false)
    assert.equal(spec.enableServiceLinks, false)
  })
})

if (!process.env.COUNTERSIGN_TEST_WITHOUT_CONTAINERS) describe('the image', () => {
  const copied = [...read('Containerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names]) => names.split(' '))
  let made, at, ports, running, idp, idpPort

  before(async () => {
    made = folder()
    chmodSync(made, 0o755)
    await command(join(root, 'tests/e2e/support/image.sh'), [binary, made], { timeout: 120_000 })
    at = join(made, 'image')
    const tls = issued('idp.test')
    idp = https.createServer({ key: tls.key, cert: tls.cert }, (_, response) => {
      const issuer = `https://idp.test:${idpPort}`
      response.setHeader('content-type', 'application/json').end(JSON.stringify({
        issuer, authorization_endpoint: `${issuer}/a`, token_endpoint: `${issuer}/t`, jwks_uri: `${issuer}/j`, keys: [],
        response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'],
      }))
    })
    idpPort = await listen(idp)
    ports = { http: await freePort(), admin: await freePort() }
    // What a container runtime adds: the host's names.
    writeFileSync(join(at, 'etc/hosts'), '127.0.0.1 localhost idp.test\n')
    writeFileSync(join(at, 'etc/ssl/certs/ca-certificates.crt'), tls.authority, { flag: 'a' })
    // As kubelet mounts a ConfigMap: the files are links into a folder that a link names, which is replaced as a whole.
    for (const name of ['broker.toml', 'corp']) symlinkSync(`..data/${name}`, join(at, 'etc/countersign', name))
    mount('..1', `
issuer = "http://127.0.0.1:${ports.http}"
[server]
listen = ["127.0.0.1:${ports.http}"]
[admin]
listen = "127.0.0.1:${ports.admin}"
[store]
url = "sqlite:/var/lib/countersign/broker.db"
[providers.corp]
issuer = "https://idp.test:${idpPort}"
allow_private_network = true
client_id = "countersign"
client_secret = { file = "corp" }
`)
    running = await startProcess('the image', '/usr/sbin/chroot', inside('serve'), { url: `http://127.0.0.1:${ports.admin}/healthz`, env })
  })

  after(async () => {
    await running?.stop()
    if (idp) await close(idp)
    // The image is large.
    if (made) rmSync(made, { recursive: true })
  })

  function mount(version, toml) {
    const files = join(at, 'etc/countersign', version)
    mkdirSync(files)
    writeFileSync(join(files, 'broker.toml'), toml)
    writeFileSync(join(files, 'corp'), 'secret-of-corp')
    symlinkSync(version, join(at, 'etc/countersign/..data_tmp'))
    renameSync(join(at, 'etc/countersign/..data_tmp'), join(at, 'etc/countersign/..data'))
  }

  const [user] = /(?<=^USER )\S+/m.exec(read('Containerfile'))
  const [, config] = /^ENV COUNTERSIGN_CONFIG=(\S+)$/m.exec(read('Containerfile'))
  const env = { COUNTERSIGN_CONFIG: config }
  const [program] = JSON.parse(/(?<=^ENTRYPOINT ).+/m.exec(read('Containerfile')))
  const inside = (...args) => [`--userspec=${user}`, '--groups=', at, program, ...args]

  test('hadolint has nothing to say', async () => {
    await command(tool('hadolint'), [deploy('Containerfile')])
  })

  test('everything that the program is compiled from is copied into the build', () => {
    const files = readFileSync(`${binary}.d`, 'utf8').split(': ')[1].trim().split(/(?<!\\) /)
    const own = files.filter((file) => !relative(root, file).startsWith('..')).map((file) => relative(root, file))
    assert.ok(own.includes('src/main.rs'), 'the list is that of another folder')
    const listed = readFileSync(join(root, '.dockerignore'), 'utf8')
    for (const file of own) assert.ok(copied.some((name) => file === name || file.startsWith(`${name}/`)), `${file} is not copied`)
    for (const name of copied) assert.ok(existsSync(join(root, name)) && listed.includes(`\n!${name}\n`), `${name} is not let through by .dockerignore`)
    // Cargo reads the manifest only if the targets that it declares are there.
    for (const [, bench] of readFileSync(join(root, 'Cargo.toml'), 'utf8').matchAll(/^\[\[bench\]\]\nname = "(.+)"/gm)) assert.ok(existsSync(join(root, 'benches', `${bench}.rs`)))
    assert.ok(copied.includes('benches') && copied.includes('deploy/image-root'))
  })

  test('the program runs in it as its user, with a store, and the health check answers', async () => {
    await until('it is ready', async () => (await fetch(`http://127.0.0.1:${ports.admin}/readyz`)).status === 200)
    const [, check] = /^HEALTHCHECK .*CMD (.+)$/m.exec(read('Containerfile'))
    const { stdout } = await command('/usr/sbin/chroot', [...inside(), ...JSON.parse(check).slice(1)], { env })
    assert.equal(stdout, '')
    assert.deepEqual(readdirSync(join(at, 'var/lib/countersign')).filter((name) => name === 'broker.db'), ['broker.db'])
    assert.match(readFileSync(`/proc/${running.pid}/status`, 'utf8'), /^Uid:\t65532\t65532\t65532\t65532$/m)
  })

  test('names are resolved and certificates verified in it', async () => {
    const { stdout } = await command('/usr/sbin/chroot', inside('providers', 'probe', 'corp'), { env }).catch((failed) => failed)
    assert.match(stdout, new RegExp(`https://idp\\.test:${idpPort}/\\.well-known/openid-configuration`))
    assert.doesNotMatch(stdout, /resolve|certificate/i)
  })

  test('a ConfigMap that is replaced is applied', async () => {
    const generation = async () => (await (await fetch(`http://127.0.0.1:${ports.admin}/status`)).json()).generation
    assert.equal(await generation(), 1)
    mount('..2', readFileSync(join(at, 'etc/countersign/broker.toml'), 'utf8').replace('[server]', '[server]\nshutdown_grace = "3s"'))
    await until('the second generation serves', async () => await generation() === 2)
  })

  test('nothing else is in it, and the user can change nothing but the state', () => {
    const all = readdirSync(at, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    const programs = all.filter((file) => !/\.so(\.|$)/.test(file) && execFileSync('head', ['-c', '4', file]).equals(Buffer.from('\x7fELF')))
    assert.deepEqual(programs.map((file) => relative(at, file)), ['usr/local/bin/countersign'])
    const writable = execFileSync('find', [at, '!', '-user', 'root', '-printf', '%P\n'], { encoding: 'utf8' }).trim().split('\n')
    assert.ok(writable.length > 0 && writable.every((path) => path.startsWith('var/lib/countersign')), writable.join(' '))
  })
})
