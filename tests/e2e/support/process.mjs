// A part of the tests that is a process: it is started, waited for until it answers, and ended by its process id.
import { spawn } from 'node:child_process'

import { until } from './until.mjs'

/**
 * Starts `command` and waits until a GET of `url` is answered, whatever the status.
 *
 * - `group`: the process starts others; they are ended with it, as the process group that it leads.
 * - `env`: with `PATH` and `HOME`, its whole environment, so that no other variable of the machine reaches it.
 */
export async function startProcess(what, command, args, { url, cwd, env = {}, within = 20_000, group = false }) {
  const { PATH, HOME = '/' } = process.env
  const child = spawn(command, args, { cwd, env: { PATH, HOME, ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: group })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { log += chunk })
  const kill = (signal) => { if (child.pid && child.exitCode === null && child.signalCode === null) process.kill(group ? -child.pid : child.pid, signal) }
  const orphan = () => kill('SIGKILL')
  process.once('exit', orphan)
  let gone
  const exited = new Promise((done) => {
    child.once('error', (error) => done(error.message))
    child.once('exit', (code, signal) => done(code ?? signal))
  }).then((how) => {
    process.off('exit', orphan)
    gone = how
    return how
  })
  const stop = (signal = 'SIGTERM') => {
    kill(signal)
    return exited
  }
  await until(`${what} answers at ${url}`, async () => {
    if (gone !== undefined) return true
    return fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(5_000) })
  }, { within }).catch(async (error) => {
    await stop('SIGKILL')
    throw new Error(`${error.message}\n${log}`)
  })
  if (gone !== undefined) throw new Error(`${what} ended with ${gone}\n${log}`)
  return { pid: child.pid, log: () => log, stop }
}
