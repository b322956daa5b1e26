import { leave, RejectOnAbort } from "../context/consume"

/** An answer that has not begun yet. */
export interface PendingStream<E> {
  readonly events: AsyncIterable<E>
  /**
   * Aborted when the client disconnects or the answer fails, which also cancels other iterations of the same answer.
   * Its signal is the one that the events were requested with.
   */
  readonly client: AbortController
  /** The comment for an event before the answer begins; undefined for events of the answer. */
  waiting(event: E): string | undefined
}

export interface FirstEvent<E> {
  /** The answer's first event, or the next event if the time ran out. */
  readonly first: Promise<IteratorResult<E>>
  /** The comment to send if the answer has not begun. */
  readonly note: string | undefined
}

/**
 * Waits until the answer begins, at most `graceMs` if given.
 * @throws Cancelled if the client disconnects, and errors of the events
 */
export async function waitForFirstEvent<E>(
  iterator: AsyncIterator<E>,
  pending: PendingStream<E>,
  graceMs?: number,
): Promise<FirstEvent<E>> {
  using rejection = new RejectOnAbort(pending.client.signal)
  const late = Promise.withResolvers<undefined>()
  const timer = graceMs === undefined ? undefined : setTimeout(() => late.resolve(undefined), graceMs)
  let note = "waiting"
  try {
    for (;;) {
      const first = iterator.next()
      const result = await Promise.race([first, late.promise, rejection.promise])
      if (result === undefined) return { first, note }
      const wait = result.done === true ? undefined : pending.waiting(result.value)
      if (wait === undefined) return { first, note: undefined }
      note = wait
    }
  } catch (error) {
    leave(iterator)
    pending.client.abort()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** Continues an iterator whose next value was already requested. */
export function startingWith<E>(
  first: Promise<IteratorResult<E>>,
  iterator: AsyncIterator<E>,
): AsyncIterator<E> {
  let isFirst = true
  return {
    next() {
      if (!isFirst) return iterator.next()
      isFirst = false
      return first
    },
    async return() {
      return (await iterator.return?.()) ?? { value: undefined, done: true }
    },
  }
}
