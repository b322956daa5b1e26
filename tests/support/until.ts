/** The polling interval in milliseconds: long enough to leave two cores to the code under test. */
const LOOK_MS = 10

/**
 * Polls for a condition without an event: calls `look` until it returns a value other than `undefined` or `false`,
 * and returns that. Has no limit of its own; the test's timeout applies.
 */
export async function until<T>(look: () => T | Promise<T>): Promise<Exclude<T, undefined | false>> {
  for (;;) {
    const seen = await look()
    // The comparison establishes the type; TypeScript cannot narrow a type parameter by it.
    if (seen !== undefined && seen !== false) return seen as Exclude<T, undefined | false>
    await Bun.sleep(LOOK_MS)
  }
}
