import { PushStream } from "../../lib/async/push-stream"

/** Prompts of one request that run in parallel: enough to fill any worker without filling its queue. */
export const PROMPTS_AT_A_TIME = 64

/** A value and the index of its source. */
export interface Indexed<T> {
  readonly index: number
  readonly value: T
}

/**
 * Runs the sources in order, at most `limit` in parallel, and yields their values as they arrive. The first failure
 * ends it. Sources that still run are left at their next value: share an abort signal to end them sooner.
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
