import { leave, RejectOnAbort } from "../context/consume"

/** What an answer is made of, before it begins. */
export interface PendingStream<E> {
  readonly events: AsyncIterable<E>
  /**
   * Aborted when the client goes away, and where the answer fails: other iterations of it have nobody to work for. Its
   * signal is the one that the events were asked with.
   */
  readonly client: AbortController
  /** What an event tells somebody who waits for the answer to begin; undefined for events of the answer. */
  waiting(event: E): string | undefined
}

export interface FirstEvent<E> {
  /** The first event of the answer, or the event that was waited for when the time was up. */
  readonly first: Promise<IteratorResult<E>>
  /** What the client is told where the answer has not begun. */
  readonly note: string | undefined
}

/**
 * Waits until the answer begins, at most `graceMs` where that is given.
 * @throws Cancelled where the client leaves, and what the events fail with
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

/** The iterator, whose next value has been asked for already. */
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
