import type { FinishReason, TokenLogprob } from "../../domain/chat"
import type { Slot } from "./cache/slots"
import { TextOutput, type TextPiece } from "./output/text-output"
import type { RunningRequest } from "./request"
import type { SequenceSampler } from "./sampling/sequence-sampler"
import type { Runnable } from "./scheduler"

/** One choice of one request: its tokens, where they are cached, and what is generated. */
export class Sequence implements Runnable {
  readonly request: RunningRequest
  readonly choice: number
  /** Made with the first token. */
  sampler: SequenceSampler | undefined
  /** Where it runs; undefined while it waits for a slot, or gave its cells up. */
  slot: Slot | undefined
  /** A sequence that is computing a prefix that this one waits for, and how much of it. */
  leader: { readonly sequence: Sequence; readonly length: number } | undefined
  /** A batch with it failed: it is computed alone next, to find out which sequence is at fault. */
  suspect = false
  /** How many of the first tokens are in cells that it did not take itself, and the tokens of whoever did. */
  shared: { readonly tokens: number; readonly owner: readonly number[] } | undefined
  /** It had a slot before, so its prompt is counted. */
  begun = false
  /** Of a prompt that is judged: from how many of its tokens the next one was predicted. */
  judgedTokens = 0
  waitedSteps = 0
  generated = 0
  finished = false
  readonly #answer: TextOutput
  /** Generated tokens that have not been reported, where they are to be. */
  #untold: number[] | undefined
  #tokens: number[] | undefined

  constructor(request: RunningRequest, choice: number) {
    this.request = request
    this.choice = choice
    this.#answer = new TextOutput(request.prepared.stops, request.prepared.keepsStop)
    this.#untold = request.prepared.reportsTokens ? [] : undefined
  }

  /**
   * The prompt and, behind it, everything generated so far. Not before they are asked for: of 128 choices most wait, and
   * a prompt may be long.
   */
  get tokens(): number[] {
    return (this.#tokens ??= toList(this.request.prepared.tokens))
  }

  /** Tokens that are not cached yet. */
  get remaining(): number {
    return this.tokens.length - (this.slot?.length ?? 0)
  }

  get generating(): boolean {
    return this.generated > 0 && this.remaining === 1
  }

  get wantsPromptLogprobs(): boolean {
    return this.choice === 0 && this.request.prepared.isJudged && this.generated === 0
  }

  /** Are the logits of the token at `position` wanted? */
  wantsLogits(position: number): boolean {
    return position === this.tokens.length - 1 || this.wantsPromptLogprobs
  }

  /** Takes a generated token; returns what of the answer may be shown now. */
  accept(token: number, bytes: Uint8Array, logprob: TokenLogprob | undefined): TextPiece | undefined {
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
  endOfAnswer(): TextPiece | undefined {
    return this.#answer.end()
  }

  /** Why the answer has to end before its next token, if so. */
  limitReached(contextLength: number): FinishReason | undefined {
    if (this.generated >= this.request.prepared.maxTokens) return "length"
    // The newest token needs no cell before the next step.
    return this.tokens.length > contextLength ? "length" : undefined
  }
}

/** What `Array.from` does, in a sixth of its time. */
function toList(ids: Int32Array): number[] {
  const list: number[] = []
  for (let at = 0; at < ids.length; at++) list.push(ids[at] as number) // a place below the length
  return list
}
