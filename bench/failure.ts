/** The reason why a measurement is impossible, for the user. */
export class BenchFailure extends Error {
  override readonly name = "BenchFailure"
}

/** The message of any thrown value. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
