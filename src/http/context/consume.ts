import { XllmError } from "../../errors/base"
import { Cancelled, RequestStopped } from "../../errors/request"
import { requestContextOf } from "./request-context"

/** A controller that is aborted when the request's client goes away, or when the request is stopped. */
export function abortControllerFor(request: Request): AbortController {
  const client = new AbortController()
  const leave = () => client.abort(new Cancelled())
  if (request.signal.aborted) leave()
  else request.signal.addEventListener("abort", leave, { once: true })
  requestContextOf(request).whenStopped(() => client.abort(new RequestStopped()))
  return client
}

/** The error that stands for an aborted signal's reason. */
export function departureOf({ reason }: AbortSignal): XllmError {
  return reason instanceof XllmError ? reason : new Cancelled()
}

/** A promise that rejects with {@link departureOf} `signal` when it is aborted; dispose it with `using`. */
export class RejectOnAbort implements Disposable {
  readonly promise: Promise<never>
  readonly #signal: AbortSignal
  readonly #leave: () => void

  constructor(signal: AbortSignal) {
    const { promise, reject } = Promise.withResolvers<never>()
    // Prevents an unhandled rejection when nothing is racing against the promise.
    promise.catch(() => {})
    this.promise = promise
    this.#signal = signal
    this.#leave = () => reject(departureOf(signal))
    if (signal.aborted) this.#leave()
    else signal.addEventListener("abort", this.#leave, { once: true })
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener("abort", this.#leave)
  }
}

/**
 * Passes every event to `take` until the iteration ends. An aborted signal ends it at once, even if the iterator does
 * not respond. However it ends early, the iterator's `return` is called.
 * @throws the signal's reason, and whatever the iterator or `take` throws
 */
export async function consume<E>(
  iterator: AsyncIterator<E>,
  signal: AbortSignal,
  take: (event: E) => void,
): Promise<void> {
  using rejection = new RejectOnAbort(signal)
  try {
    await Promise.race([drain(iterator, signal, take), rejection.promise])
  } catch (error) {
    leave(iterator)
    throw error
  }
}

async function drain<E>(
  iterator: AsyncIterator<E>,
  signal: AbortSignal,
  take: (event: E) => void,
): Promise<void> {
  for (;;) {
    const result = await iterator.next()
    if (result.done === true || signal.aborted) return
    take(result.value)
  }
}

/** Calls the iterator's `return` without waiting for it: it may not settle until the current step ends. */
export function leave<E>(iterator: AsyncIterator<E>): void {
  iterator.return?.().catch(() => {})
}
