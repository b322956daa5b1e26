/** How often what is waited for is looked at, in milliseconds: rarely enough to leave two cores to what is tested. */
const LOOK_MS = 10

/**
 * Waits for what nothing announces: asks until the answer is a value other than `undefined` or `false`, and returns it.
 * Has no limit of its own; the test's is the limit.
 */
export async function until<T>(look: () => T | Promise<T>): Promise<Exclude<T, undefined | false>> {
  for (;;) {
    const seen = await look()
    // The comparison says what the type says; TypeScript cannot narrow a type parameter by it.
    if (seen !== undefined && seen !== false) return seen as Exclude<T, undefined | false>
    await Bun.sleep(LOOK_MS)
  }
}
