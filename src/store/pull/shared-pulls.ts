import type { ModelSummary } from "../../domain/model"
import { Cancelled } from "../../errors/request"
import type { PullEvent } from "./events"

/** Starts a pull. */
export type StartPull = (options: {
  readonly signal: AbortSignal
  readonly onEvent: (event: PullEvent) => void
}) => Promise<ModelSummary>

interface SharedPull {
  readonly done: Promise<ModelSummary>
  readonly listeners: Set<(event: PullEvent) => void>
  readonly stop: AbortController
}

/**
 * Pulls that several clients may take part in: who asks for a model that is being downloaded follows that download. It
 * ends when all have left; what is there by then is kept for the next one.
 */
export class SharedPulls {
  readonly #running = new Map<string, SharedPull>()

  /**
   * @param key equal for equal downloads
   * @throws Cancelled when `signal` is aborted, and what the pull throws
   */
  async pull(
    key: string,
    start: StartPull,
    { signal, onEvent }: { readonly signal: AbortSignal; readonly onEvent: (event: PullEvent) => void },
  ): Promise<ModelSummary> {
    if (signal.aborted) throw new Cancelled()
    const shared = this.#running.get(key) ?? this.#begin(key, start)
    const { promise: left, reject: leave } = Promise.withResolvers<never>()
    left.catch(() => {})
    const onAbort = () => leave(new Cancelled())
    signal.addEventListener("abort", onAbort, { once: true })
    shared.listeners.add(onEvent)
    try {
      return await Promise.race([shared.done, left])
    } finally {
      signal.removeEventListener("abort", onAbort)
      shared.listeners.delete(onEvent)
      if (shared.listeners.size === 0) this.#end(key, shared)
    }
  }

  #begin(key: string, start: StartPull): SharedPull {
    const listeners = new Set<(event: PullEvent) => void>()
    const stop = new AbortController()
    const onEvent = (event: PullEvent) => {
      for (const listener of listeners) listener(event)
    }
    const done = start({ signal: stop.signal, onEvent })
    const shared = { done, listeners, stop }
    this.#running.set(key, shared)
    const forget = () => {
      if (this.#running.get(key) === shared) this.#running.delete(key)
    }
    done.then(forget, forget)
    return shared
  }

  #end(key: string, shared: SharedPull): void {
    if (this.#running.get(key) === shared) this.#running.delete(key)
    shared.stop.abort(new Cancelled())
  }
}
