import type { RenderedPrompt } from "../../domain/chat"
import type { XllmError } from "../../errors/base"

/** A caller that waits for a rendered prompt. */
export interface Rendering {
  readonly resolve: (prompt: RenderedPrompt) => void
  readonly reject: (error: XllmError) => void
}

/** The prompts that a worker is rendering. */
export class Renderings {
  readonly #waiting = new Map<number, Rendering>()

  get size(): number {
    return this.#waiting.size
  }

  add(id: number, rendering: Rendering): void {
    this.#waiting.set(id, rendering)
  }

  /** Removes it; undefined where it is over or was dropped. */
  take(id: number): Rendering | undefined {
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
