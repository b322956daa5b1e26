import { XllmError } from "../../src/errors/base"

/** The error that the work fails with. @throws Error if it succeeds, or fails with an error that is not ours */
export async function failure(work: Promise<unknown>): Promise<XllmError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof XllmError) return error
  throw new Error(`expected an XllmError, got ${String(error)}`)
}
