// The countersign binary as an operator runs it: a folder with broker.toml, a process, its log.
import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

import { freePort } from './net.mjs'
import { until } from './until.mjs'

/** The repository's folder. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')

/** The binary under test: the debug build, or what COUNTERSIGN_BIN names. */
export const binary = process.env.COUNTERSIGN_BIN ?? join(root, 'target/debug/countersign')

/** The folder for screenshots of pages. */
export const pictures = join(root, 'target/pictures')

/** The folders that this process made; what a failed test leaves in them is kept. */
const folders = []
process.on('exit', (code) => {
  if (code === 0) for (const path of folders) rmSync(path, { recursive: true, force: true })
})

/** A fresh folder with `files` (path to text) in it, removed when the process ends. */
export function folder(files = {}) {
  const path = mkdtempSync(join(tmpdir(), 'countersign-e2e-'))
  folders.push(path)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), text)
  }
  return path
}

/** Runs a command to its end: `{ code, stdout, stderr }`, whatever the code. */
export function run(args, { cwd, env = {}, within = 30_000 } = {}) {
  return new Promise((done, fail) => {
    const child = execFile(binary, args, { cwd, env: { PATH: process.env.PATH, ...env }, timeout: within }, (error, stdout, stderr) => {
      if (error?.killed) fail(new Error(`countersign ${args.join(' ')}: not done within ${within} ms\n${stdout}${stderr}`))
      else if (error && typeof error.code !== 'number') fail(error)
      else done({ code: error ? error.code : 0, stdout, stderr })
    })
    child.stdin.end()
  })
}

/** The addresses of a broker, known before it starts, so that IdPs and apps can be configured; `kept` as of `freePort`. */
export async function place(options) {
  const [port, adminPort] = [await freePort(options), await freePort(options)]
  return { port, adminPort, issuer: `http://127.0.0.1:${port}`, admin: `http://127.0.0.1:${adminPort}` }
}

export class Broker {
  /** `toml` and the files beside it: secrets, and overlays (`*.overlay.toml`); `at` from `place()`. */
  constructor(at, toml, files = {}) {
    Object.assign(this, at)
    this.overlays = Object.keys(files).filter((name) => name.endsWith('.overlay.toml'))
    this.folder = folder({ 'broker.toml': toml, ...files })
    this.file = join(this.folder, 'broker.toml')
    this.log = ''
    /** A command that the process is started by, and that becomes it: `env`, `unshare`. */
    this.by = []
  }

  /** Starts the process and waits until it answers. */
  async start() {
    const [command, ...args] = [...this.by, binary, 'serve', '--config', this.file, ...this.overlays.flatMap((name) => ['--overlay', join(this.folder, name)])]
    this.child = spawn(command, args, { cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'] })
    const child = this.child
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { this.log += chunk })
    const exited = new Promise((done) => { child.once('exit', (code, signal) => done(code ?? signal)) })
    this.exited = exited
    const orphan = () => child.kill('SIGKILL')
    process.once('exit', orphan)
    exited.then(() => process.off('exit', orphan))
    let gone
    exited.then((code) => { gone = code })
    await until('the broker answers', async () => {
      if (gone !== undefined) return true
      return (await fetch(`http://127.0.0.1:${this.port}${new URL(this.issuer).pathname.replace(/\/$/, '')}/.well-known/openid-configuration`, { signal: AbortSignal.timeout(5_000) })).ok
    }, { within: 20_000 }).catch((error) => { throw new Error(`${error.message}\n${this.log}`) })
    if (gone !== undefined) throw new Error(`countersign serve ended with ${gone}\n${this.log}`)
    return this
  }

  /** Ends the process that `start` started, and returns its exit code or signal. */
  async stop(signal = 'SIGTERM') {
    if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null) return this.exited
    this.child.kill(signal)
    return this.exited
  }

  read() {
    return readFileSync(this.file, 'utf8')
  }

  /** Saves the file as editors do: writes another file and renames it. */
  save(toml) {
    writeFileSync(`${this.file}.new`, toml)
    renameSync(`${this.file}.new`, this.file)
  }
}
