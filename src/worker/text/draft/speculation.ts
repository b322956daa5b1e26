import type { BatchCost } from "../../../domain/batch-cost"
import { Acceptance } from "./acceptance"
import { allocate } from "./allocation"
import { AnswerPool } from "./answer-pool"
import { BatchCosts } from "./batch-costs"
import type { DraftRoom } from "./draft-room"
import { SharedTexts, TextLookup } from "./lookup"
import type { ModelGuesser } from "./model-guesser"
import { rangeOf } from "./settings"
import { DraftStream, type DraftRange, NO_DRAFT } from "./stream"
import type { Sequence } from "../sequence"
import type { RunningRequest } from "../request"

/** Steps without drafts after a batch with drafts had no room. */
const PAUSE_STEPS = 32

/** A draft model. `share`: its size as a share of the model's. */
export interface GuessingModel {
  readonly guesser: ModelGuesser
  readonly share: number
}

/** Decides what is guessed of the answers, and how much of that is checked in each step. */
export class Speculation {
  readonly #range: DraftRange
  readonly #model: ModelGuesser | undefined
  /** What a token of the model's guess takes beside one of the answer, as long as that is not measured. */
  readonly #modelShare: number
  readonly #ofTexts = Acceptance.ofTexts()
  readonly #ofModel = Acceptance.ofModel()
  readonly #pool = new AnswerPool()
  readonly #texts = new WeakMap<RunningRequest, SharedTexts>()
  #costs: BatchCosts
  #pausedSteps = 0
  readonly #offering: Sequence[] = []
  readonly #streams: DraftStream[] = []

  /** `costs`: absent until they are measured. */
  constructor(range: DraftRange, costs?: readonly BatchCost[], model?: GuessingModel) {
    this.#range = range
    this.#model = model?.guesser
    this.#modelShare = model?.share ?? 0
    this.#costs = new BatchCosts(costs)
  }

  /** Gives memory back; call while nothing runs. */
  rest(): void {
    this.#model?.rest()
  }

  /** What batches of the model cost, as measured. */
  measured(costs: readonly BatchCost[]): void {
    this.#costs = new BatchCosts(costs)
  }

  /** Sets the drafts of the step's sequences; returns the number of their tokens. */
  plan(sequences: readonly Sequence[], room: () => DraftRoom): number {
    this.#offering.length = 0
    this.#streams.length = 0
    let streams = 0
    const isPaused = this.#pausedSteps > 0
    const modelMs = this.#modelMs
    if (isPaused) this.#pausedSteps--
    for (const sequence of sequences) {
      sequence.draft = NO_DRAFT
      if (!sequence.generating) continue
      streams++
      sequence.isFollowed ||= this.#follow(sequence)
      const { stream } = sequence
      if (stream === undefined) continue
      stream.follow(sequence.tokens)
      if (isPaused || sequence.suspect) continue
      // A draft model knows no media.
      const ownMs = sequence.media.length > 0 ? undefined : modelMs
      if (!stream.offers(sequence.maxTokens - sequence.generated - 1, ownMs)) continue
      this.#offering.push(sequence)
      this.#streams.push(stream)
    }
    return this.#offering.length === 0 ? 0 : this.#draft(streams, room())
  }

  #follow(sequence: Sequence): true {
    sequence.stream = this.#open(sequence)
    return true
  }

  #draft(streams: number, { promptTokens, outputs, isSplit, cells, recomputes }: DraftRoom): number {
    for (const [index, sequence] of this.#offering.entries()) {
      const stream = this.#streams[index] as DraftStream
      stream.room = Math.max(0, Math.min(stream.room, cells - sequence.tokens.length))
      if (recomputes) stream.tokenMs += this.#costs.ms(2) - this.#costs.ms(1)
    }
    const shape = { streams, promptTokens, room: outputs, isSplit }
    const counts = allocate(this.#streams, this.#costs, shape)
    const guesses = this.#guess(counts)
    for (const [index, sequence] of this.#offering.entries()) {
      const draft = guesses[index] ?? []
      const fitting = draft.length === 0 ? 0 : (sequence.sampler?.fitting(draft) ?? draft.length)
      if (fitting < draft.length) draft.length = fitting
      sequence.draft = draft
    }
    if (isSplit && streams > 1) this.#level()
    return this.#offering.reduce((sum, { draft }) => sum + draft.length, 0)
  }

  /** The guesses of the streams, of those lengths or shorter. */
  #guess(counts: readonly number[]): readonly number[][] {
    const guesses = this.#streams.map((stream, index) => {
      const guess: number[] = []
      const length = counts[index] as number
      stream.chosen(length)
      if (!stream.byModel) stream.fill(guess, length, this.#offering[index]?.tokens ?? [])
      return guess
    })
    const byModel = [...counts.keys()].filter((index) => this.#streams[index]?.byModel && counts[index] !== 0)
    if (byModel.length === 0) return guesses
    const wanted = byModel.map((index) => ({
      sequence: this.#offering[index] as Sequence,
      length: counts[index] as number,
      leastProbability: this.#streams[index]?.leastProbability ?? 0,
    }))
    const made = this.#model?.guess(wanted) ?? []
    for (const [place, index] of byModel.entries()) guesses[index]?.push(...(made[place] ?? []))
    return guesses
  }

  /** What a token of the model's guess takes, in the unit of the costs; undefined: it cannot guess. */
  get #modelMs(): number | undefined {
    if (this.#model?.isOpen !== true) return undefined
    const measured = this.#costs.isMeasured ? this.#model.tokenMs : undefined
    return measured ?? this.#modelShare * this.#costs.ms(1)
  }

  /** Cuts drafts to one length. */
  #level(): void {
    const lengths = this.#offering.map(({ draft }) => draft.length).filter((length) => length > 0)
    const length = Math.min(...lengths)
    for (const sequence of this.#offering) sequence.draft = sequence.draft.slice(0, length)
  }

  /** A batch with drafts had no room, which may be enough without. */
  pause(): void {
    this.#pausedSteps = PAUSE_STEPS
  }

  /** Remembers an answer that has ended. */
  ended(sequence: Sequence): void {
    const { request, tokens, cacheKey, usesCache } = sequence
    sequence.stream?.follow(tokens)
    if (usesCache) this.#pool.add(cacheKey, tokens, request.prepared.tokens.length)
  }

  /** Undefined where nothing is guessed. */
  #open({ request, cacheKey, usesCache }: Sequence): DraftStream | undefined {
    const { tokens, prediction, speculation } = request.prepared
    const range = rangeOf(this.#range, speculation)
    if (range.most === 0) return undefined
    let texts = this.#texts.get(request)
    if (texts === undefined) this.#texts.set(request, (texts = new SharedTexts(tokens, prediction)))
    const lookup = new TextLookup(texts, cacheKey, usesCache ? this.#pool : undefined)
    return new DraftStream({
      lookup,
      ofTexts: this.#ofTexts.forStream(),
      ofModel: this.#model === undefined ? undefined : this.#ofModel.forStream(),
      range,
      seen: tokens.length,
    })
  }
}
