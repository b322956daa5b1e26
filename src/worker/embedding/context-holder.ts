import type { MemoryFootprint } from "../../domain/device"
import type { XllmError } from "../../errors/base"
import { NotEnoughMemory } from "../../errors/engine"
import { systemMemory } from "../../lib/system/system-memory"
import type { EmbeddingContext } from "../../llama/embedding-context"
import type { MemoryGrant } from "../../protocol/messages"

/**
 * Texts of so many tokens are computed together. A pass attends to all of its texts' tokens, so that more in one pass
 * take longer than in two, and with fewer the weights are read more often (measured).
 */
export const FIRST_TOKENS = 512

/** The most texts of one decode. */
export const MOST_TEXTS = 64

/**
 * Up to so many tokens at once a context without flash attention is faster: llama.cpp's CPU kernels for it begin with
 * blocks of 64 (`ggml_fa_tile_config`), and fewer are computed token by token, in up to twice the time (measured).
 */
export const SHORT_TOKENS = 63

/** The size of that context: llama.cpp ends the process where one has fewer outputs than sequences. */
export const SHORT_CONTEXT_TOKENS = Math.max(SHORT_TOKENS, MOST_TEXTS)

/** After a refusal the same is asked again at the earliest after this, in ms. */
const REFUSED_MS = 5000

/** A context as the loop uses it. */
export type TextContext = Pick<
  EmbeddingContext,
  | "tokens"
  | "sequences"
  | "pooling"
  | "isGradual"
  | "width"
  | "decode"
  | "vector"
  | "tokenVector"
  | "setThreads"
> &
  Disposable

export interface ContextHolderParts {
  /** The model's. */
  readonly name: string
  /** The longest text, in tokens. */
  readonly mostTokens: number
  /** @returns undefined if llama.cpp refuses and has logged why */
  readonly create: (tokens: number) => TextContext | undefined
  /** The same for {@link SHORT_CONTEXT_TOKENS}, without flash attention; undefined: it would be no faster. */
  readonly createShort?: (() => TextContext | undefined) | undefined
  /** What a context for so many tokens takes, in bytes. */
  readonly bytesOf: (tokens: number) => number
  /** Where bytes of a context lie. */
  readonly footprintOf: (bytes: number) => MemoryFootprint
  readonly ask: (extra: MemoryFootprint) => Promise<MemoryGrant>
  /** Called when memory was taken or given back. Ends what was granted. */
  readonly changed: () => void
  /** Sets a context's threads, before each decode. */
  readonly adopt: (context: TextContext) => void
  readonly now: () => number
}

/**
 * The context that texts are computed in. Its buffers grow with the square of the longest text, so it is made for the
 * longest seen, not for the longest allowed.
 */
export class ContextHolder {
  readonly #parts: ContextHolderParts
  #context: TextContext | undefined
  /** `none`: there is none, and will be none. */
  #short: TextContext | "none" | undefined
  #isFresh = false
  #asking = false
  #granted: { readonly tokens: number; readonly grant: MemoryGrant } | undefined
  #refusedUntil = Number.NEGATIVE_INFINITY

  constructor(parts: ContextHolderParts, context?: TextContext) {
    this.#parts = parts
    this.#context = context
  }

  /** Of the present context; 0: there is none. */
  get tokens(): number {
    return this.#context?.tokens ?? 0
  }

  /** The present context. */
  get current(): TextContext | undefined {
    return this.#context
  }

  /** A context for texts of so many tokens; `waits`: the memory for it was asked for. */
  holding(tokens: number): TextContext | "waits" | XllmError {
    if (this.#context !== undefined && this.#context.tokens >= tokens) {
      this.#parts.adopt(this.#context)
      return this.#context
    }
    if (this.#asking) return "waits"
    const wanted = contextTokens(tokens, this.#parts.mostTokens)
    const granted = this.#granted
    this.#granted = undefined
    if (granted?.tokens === wanted) return granted.grant === "no" ? this.#refused(wanted) : this.#make(wanted)
    if (this.#parts.now() < this.#refusedUntil) return this.#error(wanted)
    void this.#ask(wanted)
    return "waits"
  }

  /** The faster one of two contexts for so many tokens in all, which {@link holding} has room for. */
  fastest(tokens: number, context: TextContext): TextContext {
    const { createShort, adopt } = this.#parts
    if (tokens > SHORT_TOKENS || createShort === undefined) return context
    if (this.#short === undefined) {
      this.#short = createShort() ?? "none"
      this.#isFresh = true
    }
    if (this.#short === "none") return context
    adopt(this.#short)
    return this.#short
  }

  /** Call after a decode: the memory of a new context is taken with the first. */
  decoded(): void {
    if (this.#isFresh) this.#parts.changed()
    this.#isFresh = false
  }

  /** Gives the memory back. */
  release(): void {
    if (this.#context === undefined) return
    this.#context[Symbol.dispose]()
    this.#context = undefined
    if (this.#short !== "none") this.#short?.[Symbol.dispose]()
    this.#short = undefined
    this.#parts.changed()
  }

  async #ask(tokens: number): Promise<void> {
    const { ask, footprintOf, bytesOf } = this.#parts
    const present = this.tokens === 0 ? 0 : bytesOf(this.tokens)
    this.#asking = true
    const grant = await ask(footprintOf(Math.max(0, bytesOf(tokens) - present)))
    this.#asking = false
    this.#granted = { tokens, grant }
  }

  /** The present one goes first: nothing is kept in it, and both at once would take more. */
  #make(tokens: number): TextContext | XllmError {
    const { create, adopt, changed } = this.#parts
    this.#context?.[Symbol.dispose]()
    this.#context = create(tokens)
    if (this.#context !== undefined) adopt(this.#context)
    this.#isFresh = this.#context !== undefined
    if (!this.#isFresh) changed()
    return this.#context ?? this.#refused(tokens)
  }

  #refused(tokens: number): XllmError {
    this.#refusedUntil = this.#parts.now() + REFUSED_MS
    return this.#error(tokens)
  }

  #error(tokens: number): XllmError {
    const { name, bytesOf } = this.#parts
    return new NotEnoughMemory(
      name,
      "memory",
      bytesOf(tokens),
      systemMemory().availableBytes,
      `a text of ${tokens} tokens is computed as a whole; send shorter texts`,
    )
  }
}

/** Contexts double, so that texts that grow by and by do not have a new one made each time. */
export function contextTokens(tokens: number, most: number): number {
  let size = FIRST_TOKENS
  while (size < tokens) size *= 2
  return Math.max(FIRST_TOKENS, Math.min(size, roundUp(most)))
}

/** llama.cpp rounds as well. */
function roundUp(tokens: number): number {
  return Math.ceil(tokens / 256) * 256
}
