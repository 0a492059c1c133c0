// Debian's PostgreSQL: servers in folders of their own, separate from the machine's service, and a standby that follows one.
import { execFile, execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { freePort } from './net.mjs'
import { until } from './until.mjs'

/** The folder of the server's programs, which Debian keeps out of the path. */
const programs = readdirSync('/usr/lib/postgresql')
  .sort((a, b) => b - a)
  .map((version) => `/usr/lib/postgresql/${version}/bin`)
  .find((path) => existsSync(join(path, 'initdb')))

/** The server refuses to run as root: a process that is root starts it as the user `postgres`. */
const owner = process.getuid() === 0
  ? Object.fromEntries(['uid', 'gid'].map((kind) => [kind, Number(execFileSync('id', [`-${kind[0]}`, 'postgres']))]))
  : undefined

const program = async (name, args) => (await promisify(execFile)(join(programs, name), args, { cwd: '/', ...owner })).stdout

export class Postgres {
  /** An empty cluster, not started. Whoever connects over TCP or the socket is trusted. */
  static async make() {
    const server = await Postgres.#at()
    await program('initdb', ['-D', server.data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '-N'])
    return server
  }

  static async #at() {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-e2e-postgres-'))
    if (owner) chownSync(folder, owner.uid, owner.gid)
    return Object.assign(new Postgres(), { folder, data: join(folder, 'data'), port: await freePort({ kept: true }), log: '' })
  }

  /** Starts the server with further `settings`, and waits until it answers. */
  async start(settings = {}) {
    const all = { listen_addresses: '127.0.0.1', unix_socket_directories: this.folder, port: this.port, fsync: 'off', max_connections: 100, ...settings }
    const options = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const child = spawn(join(programs, 'postgres'), ['-D', this.data, ...options], { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'], ...owner })
    this.child = child
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { this.log += chunk })
    const orphan = () => child.kill('SIGQUIT')
    process.once('exit', orphan)
    this.exited = new Promise((done) => child.once('exit', (code, signal) => { process.off('exit', orphan); done(code ?? signal) }))
    await until('PostgreSQL answers', async () => {
      if (child.exitCode !== null) throw new Error('it has ended')
      return this.sql('SELECT 1')
    }, { within: 30_000, every: 50 }).catch((error) => { throw new Error(`${error.message}\n${this.log}`) })
    return this
  }

  /** Ends the server: SIGINT rolls back what is open, SIGQUIT ends without a checkpoint, SIGKILL is a crash. */
  async stop(signal = 'SIGINT') {
    if (this.child && this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal)
    return this.exited
  }

  /** Ends the server and removes its folder. */
  async remove() {
    await this.stop('SIGQUIT')
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }

  /** Runs statements as the superuser, and returns the rows of the last as text. */
  async sql(statements, database = 'postgres') {
    return (await program('psql', ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', this.folder, '-p', String(this.port), '-U', 'postgres', '-d', database, '-c', statements])).trim()
  }

  /** Creates a database and its owner, as docs/postgresql.md says. */
  async createDatabase(name) {
    await this.sql(`CREATE ROLE ${name} LOGIN`)
    await this.sql(`CREATE DATABASE ${name} OWNER ${name} ENCODING 'UTF8' TEMPLATE template0`)
  }

  /** Makes a standby that follows this server by streaming, not started. */
  async standby() {
    const standby = await Postgres.#at()
    await program('pg_basebackup', ['-D', standby.data, '-h', this.folder, '-p', String(this.port), '-U', 'postgres', '-X', 'stream', '-c', 'fast', '-R', '--no-sync'])
    return standby
  }

  /** Whether a standby has confirmed what was written here so far. */
  async followed() {
    return await this.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync'") === '1'
  }

  /** Turns a standby into the primary. */
  async promote() {
    await this.sql('SELECT pg_promote()')
  }
}
