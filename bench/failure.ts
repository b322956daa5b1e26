/** Why a measurement cannot be made, in words for the person at the terminal. */
export class BenchFailure extends Error {
  override readonly name = "BenchFailure"
}

/** The message of anything that was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
