import { XllmError } from "../../src/errors/base"

/** What a piece of work fails with. @throws Error where it does not, or not with one of our errors */
export async function failure(work: Promise<unknown>): Promise<XllmError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof XllmError) return error
  throw new Error(`expected an XllmError, got ${String(error)}`)
}
