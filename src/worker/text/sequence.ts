import type { FinishReason, TokenLogprob } from "../../domain/chat"
import type { CacheablePrompt, Slot } from "./cache/slots"
import { TextOutput, type TextPiece } from "./output/text-output"
import type { RunningRequest } from "./request"
import type { SequenceSampler } from "./sampling/sequence-sampler"
import type { Runnable } from "./scheduler"

/** One choice of a request: its tokens, its slot and its output. */
export class Sequence implements Runnable, CacheablePrompt {
  readonly request: RunningRequest
  readonly choice: number
  /** Created with the first token. */
  sampler: SequenceSampler | undefined
  /** The slot it runs in; undefined while it waits for one or is paused. */
  slot: Slot | undefined
  /** A sequence that is computing a prefix this one waits for, and the length of that prefix. */
  leader: { readonly sequence: Sequence; readonly length: number } | undefined
  /** A batch containing it failed: it is computed alone next, to find the faulty sequence. */
  suspect = false
  /**
   * How many of its first tokens are in cells allocated by another sequence, and the tokens of that sequence.
   */
  shared: { readonly tokens: number; readonly owner: readonly number[] } | undefined
  /** It had a slot before, so its prompt is already counted. */
  begun = false
  /** With prompt log probabilities: number of prompt tokens whose successor is already scored. */
  judgedTokens = 0
  waitedSteps = 0
  generated = 0
  finished = false
  readonly #answer: TextOutput
  /** Generated tokens not yet reported; undefined if the request does not want them. */
  #untold: number[] | undefined
  #tokens: number[] | undefined

  constructor(request: RunningRequest, choice: number) {
    this.request = request
    this.choice = choice
    this.#answer = new TextOutput(request.prepared.stops, request.prepared.keepsStop)
    this.#untold = request.prepared.reportsTokens ? [] : undefined
  }

  /**
   * The prompt followed by everything generated so far. Built on first use: of 128 choices most are waiting,
   * and a prompt may be long.
   */
  get tokens(): number[] {
    return (this.#tokens ??= toList(this.request.prepared.tokens))
  }

  get cacheKey(): string {
    return this.request.prepared.cacheKey
  }

  /** Tokens not yet cached. */
  get remaining(): number {
    return this.tokens.length - (this.slot?.length ?? 0)
  }

  get generating(): boolean {
    return this.generated > 0 && this.remaining === 1
  }

  get wantsPromptLogprobs(): boolean {
    return this.choice === 0 && this.request.prepared.isJudged && this.generated === 0
  }

  /** Appends a generated token; returns the text that can be shown now. */
  accept(token: number, bytes: Uint8Array, logprob: TokenLogprob | undefined): TextPiece | undefined {
    this.tokens.push(token)
    this.generated++
    this.#untold?.push(token)
    return this.#answer.push(bytes, logprob)
  }

  /** Counts the token that ends the generation; it is not part of the answer. */
  acceptEnd(token: number): void {
    this.generated++
    this.#untold?.push(token)
  }

  /** Generated tokens to report now; undefined if the request does not want them. */
  takeUntold(): readonly number[] | undefined {
    const untold = this.#untold
    if (untold !== undefined) this.#untold = []
    return untold
  }

  /** Text held back for a stop match, released when the answer ends without one. */
  endOfAnswer(): TextPiece | undefined {
    return this.#answer.end()
  }

  /** The reason to end before the next token, if any. */
  limitReached(contextLength: number): FinishReason | undefined {
    if (this.generated >= this.request.prepared.maxTokens) return "length"
    // The newest token needs no cell until the next step.
    return this.tokens.length > contextLength ? "length" : undefined
  }
}

/** Same as `Array.from`, six times as fast. */
function toList(ids: Int32Array): number[] {
  const list: number[] = []
  for (let at = 0; at < ids.length; at++) list.push(ids[at] as number) // an index below the length
  return list
}
