import type { XllmError } from "../../errors/base"

/** A caller that waits for a rendered prompt, or for tokens. */
export interface Rendering<T> {
  readonly resolve: (result: T) => void
  readonly reject: (error: XllmError) => void
}

/** The prompts that a worker is rendering, or the texts that it tokenizes. */
export class Renderings<T> {
  readonly #waiting = new Map<number, Rendering<T>>()

  get size(): number {
    return this.#waiting.size
  }

  add(id: number, rendering: Rendering<T>): void {
    this.#waiting.set(id, rendering)
  }

  /** Removes it; undefined where it is over or was dropped. */
  take(id: number): Rendering<T> | undefined {
    const rendering = this.#waiting.get(id)
    this.#waiting.delete(id)
    return rendering
  }

  failAll(error: XllmError): void {
    const failed = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { reject } of failed) reject(error)
  }
}
