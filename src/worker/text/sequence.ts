import type { FinishReason, TokenLogprob } from "../../domain"
import type { Sampler } from "../../llama/sampler"
import { Answer, type Piece } from "./answer"
import type { RunningRequest } from "./request"
import type { Runnable } from "./scheduler"
import type { Slot } from "./slots"

/** One choice of one request: its tokens, where they are cached, and what is generated. */
export class Sequence implements Runnable {
  readonly request: RunningRequest
  readonly choice: number
  readonly sampler: Sampler
  /** The prompt and, behind it, everything generated so far. */
  readonly tokens: number[]
  /** Where it runs; undefined while it waits for a slot, or gave its cells up. */
  slot: Slot | undefined
  /** A sequence that is computing a prefix that this one waits for, and how much of it. */
  leader: { readonly sequence: Sequence; readonly length: number } | undefined
  /** A batch with it failed: it is computed alone next, to find out which sequence is at fault. */
  suspect = false
  /** How many of the first tokens are in cells that it did not take itself, and the tokens of whoever did. */
  shared: { readonly tokens: number; readonly owner: readonly number[] }
  /** It had a slot before, so its prompt is counted and known to the sampler. */
  begun = false
  waitedSteps = 0
  generated = 0
  finished = false
  readonly #answer: Answer
  readonly #promptLogprobs: TokenLogprob[] | undefined
  /** Generated tokens that have not been reported, where they are to be. */
  #untold: number[] | undefined

  constructor(request: RunningRequest, choice: number, sampler: Sampler) {
    this.request = request
    this.choice = choice
    this.sampler = sampler
    this.tokens = Array.from(request.prompt.tokens)
    this.shared = { tokens: 0, owner: this.tokens }
    this.#answer = new Answer(request.request.stop, request.request.keepsStop)
    this.#untold = request.request.reportsTokens ? [] : undefined
    this.#promptLogprobs = choice === 0 && request.wantsPromptLogprobs ? [] : undefined
  }

  /** Tokens that are not cached yet. */
  get remaining(): number {
    return this.tokens.length - (this.slot?.length ?? 0)
  }

  get generating(): boolean {
    return this.generated > 0 && this.remaining === 1
  }

  get judged(): boolean {
    return this.#promptLogprobs !== undefined && this.generated === 0
  }

  /** Are the logits of the token at `position` wanted? */
  wantsLogits(position: number): boolean {
    return position === this.tokens.length - 1 || this.judged
  }

  /** Takes the log probability of the prompt's token `position`, which was predicted from the one before it. */
  addPromptLogprob(position: number, logprob: TokenLogprob): void {
    if (this.#promptLogprobs) this.#promptLogprobs[position - 1] = logprob
  }

  get promptLogprobs(): readonly TokenLogprob[] | undefined {
    return this.#promptLogprobs
  }

  /** Takes a generated token; returns what of the answer may be shown now. */
  accept(token: number, bytes: Uint8Array, logprob: TokenLogprob | undefined): Piece | undefined {
    this.tokens.push(token)
    this.generated++
    this.#untold?.push(token)
    return this.#answer.push(bytes, logprob)
  }

  /** The token that ends the generation: counted, but no part of the answer. */
  acceptEnd(token: number): void {
    this.generated++
    this.#untold?.push(token)
  }

  /** Generated tokens that are to be reported now; undefined where none are wanted. */
  takeUntold(): readonly number[] | undefined {
    const untold = this.#untold
    if (untold !== undefined) this.#untold = []
    return untold
  }

  /** What was held back, now that the answer is over without a stop text. */
  endOfAnswer(): Piece | undefined {
    return this.#answer.end()
  }

  /** Why the answer has to end before its next token, if so. */
  limitReached(contextLength: number): FinishReason | undefined {
    if (this.generated >= this.request.maxTokens) return "length"
    // The newest token needs no cell before the next step.
    return this.tokens.length > contextLength ? "length" : undefined
  }
}
