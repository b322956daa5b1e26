import type { RenderedPrompt } from "../../domain/chat"
import type { SlotResult } from "../../domain/slots"
import type { TokensResult } from "../../domain/tokens"
import type { XllmError } from "../../errors/base"

/** A caller that waits for a rendered prompt, for tokens, or for a slot. */
export interface Rendering<T> {
  readonly resolve: (result: T) => void
  readonly reject: (error: XllmError) => void
}

/** What a worker was asked of one kind. */
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

/** All that a worker was asked besides requests. */
export class OpenQuestions {
  readonly prompts = new Renderings<RenderedPrompt>()
  readonly tokens = new Renderings<TokensResult>()
  readonly slots = new Renderings<SlotResult>()

  get size(): number {
    return this.prompts.size + this.tokens.size + this.slots.size
  }

  /** Removes the one with that number, whatever it is. */
  take(id: number): Pick<Rendering<never>, "reject"> | undefined {
    return this.prompts.take(id) ?? this.tokens.take(id) ?? this.slots.take(id)
  }

  failAll(error: XllmError): void {
    this.prompts.failAll(error)
    this.tokens.failAll(error)
    this.slots.failAll(error)
  }
}
