import { PushStream } from "../../lib/async/push-stream"

/** A value and which of the sources it came from. */
export interface Indexed<T> {
  readonly index: number
  readonly value: T
}

/**
 * Runs the sources, at most `limit` at a time and in order, and yields their values as they come. The first failure
 * ends it. A source is left at its next value after the end: give all of them a signal to end them sooner.
 */
export function merge<T>(
  sources: readonly (() => AsyncIterable<T>)[],
  limit: number,
): AsyncIterableIterator<Indexed<T>> {
  const merged = new PushStream<Indexed<T>>()
  let next = 0

  async function runSources(): Promise<void> {
    for (let index = next++; index < sources.length && !merged.ended; index = next++) {
      for await (const value of sources[index]?.() ?? []) {
        if (merged.ended) return
        merged.push({ index, value })
      }
    }
  }

  const runners = Array.from({ length: Math.min(limit, sources.length) }, runSources)
  Promise.all(runners).then(
    () => merged.end(),
    (error: unknown) => merged.fail(error),
  )
  return merged
}
