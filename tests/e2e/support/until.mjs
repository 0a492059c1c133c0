// Waiting for other processes: a condition, a deadline, and the last reason why it did not hold.

/**
 * Polls `probe` until it returns something truthy, and returns that.
 * Fails after `within` milliseconds with `what` and the last error.
 */
export async function until(what, probe, { within = 10_000, every = 25 } = {}) {
  const deadline = performance.now() + within
  let last
  for (;;) {
    try {
      const found = await probe()
      if (found) return found
      last = undefined
    } catch (error) {
      last = error
    }
    if (performance.now() > deadline) {
      throw new Error(`not within ${within} ms: ${what}${last ? ` (${last.message}${last.cause ? `: ${last.cause.message}` : ''})` : ''}`)
    }
    await new Promise((resolve) => setTimeout(resolve, every))
  }
}
