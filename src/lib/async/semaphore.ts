interface Waiter {
  grant(): void
}

/** Limits concurrency; waiting callers are served in order of arrival. */
export class Semaphore {
  #free: number
  readonly #waiting: Waiter[] = []

  constructor(places: number) {
    this.#free = places
  }

  /**
   * Acquires a permit, released by scope (`using`). @throws the signal's reason; an aborted call leaves the queue
   * at once
   */
  async acquire(signal?: AbortSignal): Promise<Disposable> {
    signal?.throwIfAborted()
    if (this.#free > 0) this.#free--
    else await this.#wait(signal)
    let isHeld = true
    return {
      [Symbol.dispose]: () => {
        if (isHeld) this.#release()
        isHeld = false
      },
    }
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(signal?.reason)
      }
      const waiter = {
        grant: () => {
          signal?.removeEventListener("abort", onAbort)
          resolve()
        },
      }
      this.#waiting.push(waiter)
      signal?.addEventListener("abort", onAbort, { once: true })
    })
  }

  #release(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next.grant()
  }
}
