import type { XllmError } from "../../errors/base"
import { Cancelled } from "../../errors/request"

/**
 * Waits for what `begin` starts. When `signal` aborts first, rejects with `Cancelled` and calls the function that
 * `begin` returned, which abandons the wait. `begin` may settle at once.
 */
export function abortable<T>(
  signal: AbortSignal,
  begin: (resolve: (value: T) => void, reject: (error: XllmError) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new Cancelled())
    let giveUp = () => {}
    const abort = () => (giveUp(), reject(new Cancelled()))
    const settled = () => signal.removeEventListener("abort", abort)
    signal.addEventListener("abort", abort, { once: true })
    giveUp = begin(
      (value) => (settled(), resolve(value)),
      (error) => (settled(), reject(error)),
    )
  })
}
