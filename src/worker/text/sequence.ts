import type { FinishReason, TokenLogprob } from "../../domain/chat"
import type { AdaptedSequence } from "./adapters/adapter-turns"
import type { ReadPrompt } from "./cache/disk/saved-prompts"
import type { CacheablePrompt, Slot } from "./cache/slots"
import { NO_DRAFT, type DraftStream } from "./draft/stream"
import { answerOutputOf } from "./output/answer-reading"
import type { AnswerOutput, AnswerPiece, PartEvent } from "./output/answer-output"
import { mediaAfter, mediaAt, type PlacedMedia } from "./prompt/cells"
import type { RunningRequest } from "./request"
import type { SequenceSampler } from "./sampling/sequence-sampler"
import type { Runnable } from "./scheduler"

/** One choice of a request: its tokens, its slot and its output. */
export class Sequence implements Runnable, AdaptedSequence, CacheablePrompt {
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
  /** The state of its first tokens, read from disk for its first slot. */
  saved: ReadPrompt | undefined
  /** It had a slot before, so its prompt is already counted. */
  begun = false
  /** With prompt log probabilities: number of prompt tokens whose successor is already scored. */
  scoredTokens = 0
  waitedSteps = 0
  /** Since when there is no memory for its next token; ms. */
  starvedAt: number | undefined
  generated = 0
  finished = false
  /** The guessed tokens that its next step checks. */
  draft: readonly number[] = NO_DRAFT
  /** How many of the draft's tokens were right, as far as they are taken. */
  draftRight = 0
  /** What guesses its tokens; undefined: nothing, or not yet. */
  stream: DraftStream | undefined
  /** Is it known whether its tokens are to be guessed? */
  isFollowed = false
  readonly #answer: AnswerOutput
  /** Generated tokens not yet reported; undefined if the request does not want them. */
  #unreportedIds: number[] | undefined
  #tokens: number[] | undefined

  constructor(request: RunningRequest, choice: number) {
    this.request = request
    this.choice = choice
    this.#answer = answerOutputOf(request.prepared, request.tools)
    this.#unreportedIds = request.prepared.reportsTokens ? [] : undefined
  }

  /**
   * The cells of the prompt, followed by the tokens generated so far. Built on first use: of 128 choices most are waiting,
   * and a prompt may be long.
   */
  get tokens(): number[] {
    return (this.#tokens ??= toList(this.request.prepared.tokens))
  }

  get media(): readonly PlacedMedia[] {
    return this.request.prepared.media
  }

  get cacheKey(): string {
    return this.request.prepared.cacheKey
  }

  /** Its slot got that many tokens from its saved state. */
  useSaved(tokens: number): void {
    this.saved?.used(tokens)
    if (this.saved?.ms !== undefined) this.request.disk = { tokens, ms: this.saved.ms }
  }

  /** The number of its tokens, which are not built for this. */
  get length(): number {
    return this.#tokens?.length ?? this.request.prepared.tokens.length
  }

  /** Tokens not yet cached. */
  get remaining(): number {
    return this.tokens.length - (this.slot?.length ?? 0)
  }

  /** A step ends where a checkpoint is to be made, and where a picture or a sound begins. */
  get mostTokens(): number {
    const length = this.slot?.length ?? 0
    const checkpoint = this.request.prepared.checkpoints.find((cells) => cells > length)
    const media = this.media.length === 0 ? undefined : mediaAfter(this.media, length)?.start
    const end = length + this.remaining
    return Math.min(end, checkpoint ?? end, media ?? end) - length
  }

  /** The picture or sound that its next cell belongs to; undefined: its next cell is a token. */
  get nextMedia(): PlacedMedia | undefined {
    return this.media.length === 0 ? undefined : mediaAt(this.media, this.slot?.length ?? 0)
  }

  get generating(): boolean {
    return this.generated > 0 && this.remaining === 1
  }

  get adapterKey(): string {
    return this.request.adapters.key
  }

  get maxTokens(): number {
    return this.request.prepared.maxTokens
  }

  /** May its cells be those of another prompt? */
  get usesCache(): boolean {
    return this.request.prepared.usesCache
  }

  get scoresPrompt(): boolean {
    return this.choice === 0 && this.request.prepared.scoresPrompt && this.generated === 0
  }

  /** Appends a generated token; returns what can be shown now. */
  accept(token: number, bytes: Uint8Array, logprob: TokenLogprob | undefined): AnswerPiece | undefined {
    this.tokens.push(token)
    this.generated++
    this.#unreportedIds?.push(token)
    return this.#answer.push(bytes, logprob, token)
  }

  /** Has the answer a complete call? */
  get hasCalls(): boolean {
    return this.#answer.calls > 0
  }

  /** How many of its tokens are thinking. */
  get reasoningTokens(): number {
    return this.#answer.reasoningTokens
  }

  /** Counts the token that ends the generation; it is not part of the answer. */
  acceptEnd(token: number): void {
    this.generated++
    this.#unreportedIds?.push(token)
  }

  /** Generated tokens to report now; undefined if the request does not want them. */
  takeUnreportedIds(): readonly number[] | undefined {
    const unreportedIds = this.#unreportedIds
    if (unreportedIds !== undefined) this.#unreportedIds = []
    return unreportedIds
  }

  /** Ends the answer; returns what was held back, and the tokens that are not reported yet. */
  endOfAnswer(): readonly PartEvent[] {
    return this.#answer.end(this.#unreportedIds !== undefined && this.#unreportedIds.length > 0)
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
