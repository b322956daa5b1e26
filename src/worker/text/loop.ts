import type { FinishReason } from "../../domain/chat"
import type { StepUsage } from "../../domain/loaded-model"
import { asXllmError } from "../../errors/base"
import { NotNumbers } from "../../errors/engine"
import { Batch } from "../../llama/batch"
import type { DecodeResult } from "../../llama/context"
import type { XllmError } from "../../errors/base"
import type { Model } from "../../llama/model"
import { PrefillBudget } from "./budget"
import type { AdapterSwitch } from "./adapters/adapter-switch"
import { AdapterTurns } from "./adapters/adapter-turns"
import { DemandMeter } from "./growth/demand"
import { GapCloser } from "./cache/gap-closer"
import { SlotAllocator } from "./cache/slot-allocator"
import { Emitter } from "./emitter"
import { CheckedDraft } from "./draft/checked-draft"
import { draftRoomBeside } from "./draft/draft-room"
import type { Speculation } from "./draft/speculation"
import { positionOf } from "./prompt/cells"
import type { MediaSteps, MediaTurn } from "./media/media-steps"
import { OpenRequests } from "./open-requests"
import type { AnswerPiece } from "./output/answer-output"
import type { StepOutbox } from "./output/step-outbox"
import type { PoolGrowth } from "./growth/pool-growth"
import { Recovery } from "./recovery"
import type { RunningRequest } from "./request"
import type { Runtime } from "./runtime"
import { TokenSampler } from "./sampling/token-sampler"
import { OVERDRAFT, planStep, type StepPlan } from "./scheduler"
import type { Sequence } from "./sequence"
import { fillBatch, type LogitsRow } from "./step-batch"

const NO_BYTES = new Uint8Array(0)

export interface TextLoopParts {
  readonly model: Model
  readonly runtime: Runtime
  readonly outbox: StepOutbox
  readonly growth: PoolGrowth
  /** Guesses tokens that are checked together; absent: each token is computed alone. */
  readonly speculation?: Speculation | undefined
  readonly adapters: AdapterSwitch
  /** Absent: the model reads text only. */
  readonly media?: MediaSteps | undefined
  /** The error of a conversation that there is no memory for. */
  readonly outOfMemory: (tokens: number) => XllmError
  /** The maximum number of sequences, of which the context may have fewer at first. */
  readonly slots: number
  /** The maximum length of a conversation, in tokens. */
  readonly contextLength: number
  /** The maximum number of tokens per decode. */
  readonly batchTokens: number
  /** The maximum number of tokens per decode with logits. */
  readonly mostOutputs: number
  /** Milliseconds from an arbitrary start. */
  readonly now: () => number
}

/** What happened before a step. */
export interface StepContext {
  /** How long other workers had the CPU since the last step, in ms. */
  readonly waitedMs: number
  /** Are other workers competing for the CPU? */
  readonly contended: boolean
}

const ALONE: StepContext = { waitedMs: 0, contended: false }

/**
 * Continuous batching: each step decodes one batch over all running sequences and samples a token for each.
 */
export class TextLoop {
  readonly #runtime: Runtime
  readonly #outbox: StepOutbox
  readonly #emit: Emitter
  readonly #requests: OpenRequests
  readonly #recovery: Recovery
  readonly #growth: PoolGrowth
  readonly #demand: DemandMeter
  readonly #contextLength: number
  readonly #mostOutputs: number
  readonly #now: () => number
  readonly #batch: Batch
  readonly #budget: PrefillBudget
  readonly #sampler: TokenSampler
  readonly #allocator: SlotAllocator
  readonly #speculation: Speculation | undefined
  readonly #turns = new AdapterTurns()
  readonly #adapters: AdapterSwitch
  readonly #media: MediaSteps | undefined
  readonly #gaps: GapCloser

  constructor(parts: TextLoopParts) {
    const { model, runtime, outbox, growth, contextLength, batchTokens, now } = parts
    this.#runtime = runtime
    this.#outbox = outbox
    this.#emit = new Emitter(outbox, model.vocabulary, now)
    this.#requests = new OpenRequests(runtime, this.#emit)
    this.#recovery = new Recovery({ ...parts, requests: this.#requests, counters: outbox.counters })
    this.#growth = growth
    this.#demand = new DemandMeter(parts)
    this.#contextLength = contextLength
    this.#mostOutputs = parts.mostOutputs
    this.#now = now
    this.#batch = new Batch(batchTokens, parts.slots)
    this.#budget = new PrefillBudget(Math.floor(batchTokens / (1 + OVERDRAFT)))
    this.#sampler = new TokenSampler(runtime, model, contextLength)
    this.#allocator = new SlotAllocator(runtime, parts.slots)
    this.#speculation = parts.speculation
    this.#adapters = parts.adapters
    this.#media = parts.media
    this.#gaps = new GapCloser(runtime)
  }

  /** Is there work to do? */
  get busy(): boolean {
    return this.#requests.size > 0
  }

  /** The number of sequences that generate. */
  get streams(): number {
    return this.#requests.running.filter(({ generating }) => generating).length
  }

  /** Resolves when a picture is encoded; undefined: none is, or there may be something to do before. */
  get encoded(): Promise<void> | undefined {
    const encodings = this.#media?.encodings
    const waitsForMemory = this.#growth.underway || this.#recovery.waits
    return encodings?.isBusy === true && !waitsForMemory ? encodings.settled : undefined
  }

  /** Is there no context at present, because a larger one is made in its place? */
  get suspended(): boolean {
    return this.#growth.suspended
  }

  /** Adds a request whose sequences exist and emits `accepted`; it joins at the next step. */
  submit(request: RunningRequest): void {
    this.#requests.add(request)
    if (request.prepared.scoresPrompt) return this.#emit.firstToken(request)
    this.#emit.prompt(request)
    this.#outbox.flush()
  }

  /** Cancels a request and frees its slots at once. */
  cancel(id: number): void {
    this.#requests.cancel(id)
    this.#recovery.resume()
    this.#outbox.drop(id)
  }

  /** Fails all requests. */
  abandon(error: XllmError): void {
    this.#requests.failAll(error)
    this.#outbox.flush()
  }

  /** Call before the first step after a pause. */
  resume(): void {
    this.#runtime.threads.begin(this.#runtime.context)
  }

  /**
   * Call when nothing has run for a while: gives memory back.
   * @throws ContextLost
   */
  rest(): void {
    if (this.busy) return
    this.#growth.shrink()
    this.#speculation?.rest()
    this.#media?.encodings.rest()
  }

  /**
   * Runs one decode step and emits the results. Returns whether there was anything to compute.
   * @throws ContextLost
   */
  step(turn: StepContext = ALONE): boolean {
    this.#grow()
    const canCompute = !this.#growth.suspended && !this.#recovery.waits
    const isComputed = canCompute && this.#decode(turn)
    this.#outbox.flush()
    return isComputed
  }

  #decode(turn: StepContext): boolean {
    const { context, cache, threads } = this.#runtime
    cache.nextStep()
    threads.prepare(context, turn.waitedMs, this.#media?.encodings.usesCpu)
    context.setPolling(!turn.contended)
    for (const [request, error] of this.#media?.encodings.takeFailures() ?? [])
      this.#requests.failRequest(request, error)
    this.#admit()
    // Sent before the step, which may be long: the number of cached prompt tokens is already known.
    if (!this.#outbox.empty) this.#outbox.flush()
    this.#gaps.close(this.#requests.running)
    const runnable = this.#runnable()
    const media = this.#media
    const next = media?.next(runnable)
    const plan = next !== undefined && media?.isFirst ? undefined : this.#plan(runnable)
    if (plan !== undefined && plan.work.length > 0) this.#compute(plan)
    else if (media !== undefined && next !== undefined) this.#computeMedia(media, next)
    else return false
    return true
  }

  // -------------------------------------------------------------------------------------------------- memory

  #grow(): void {
    const { cache } = this.#runtime
    this.#growth.update(() => this.#demand.measure(this.#requests, cache.slots))
    if (cache !== this.#runtime.cache) this.#recovery.resume()
    if (this.#growth.underway) return
    for (const sequence of this.#requests.waiting)
      if (!this.#allocator.fitsAlone(sequence)) this.#recovery.refuse(sequence)
  }

  /** The sequences that have room for their next token. */
  #withRoom(running: readonly Sequence[]): readonly Sequence[] {
    const { layout, cellsPerSequence } = this.#runtime.cache
    if (layout === "unified") return running
    const isFull = ({ slot }: Sequence): boolean => (slot?.length ?? 0) >= cellsPerSequence
    const full = running.filter(isFull)
    if (full.length === 0) return running
    if (!this.#growth.underway) for (const sequence of full) this.#recovery.starve(sequence)
    return running.filter((sequence) => !isFull(sequence))
  }

  // ------------------------------------------------------------------------------------------------ schedule

  #admit(): void {
    const { cache } = this.#runtime
    const { waiting, running } = this.#requests
    if (cache.needsWiping(running.length)) this.#recovery.wipe()
    if (this.#recovery.full && running.length > 0) return
    const admitted = this.#allocator.admit(waiting, running, this.#growth.underway)
    this.#requests.start(admitted)
    for (const sequence of admitted) this.#begin(sequence)
    cache.forgetSaved()
  }

  #begin(sequence: Sequence): void {
    if (sequence.begun) return
    sequence.begun = true
    const cached = sequence.slot?.length ?? 0
    this.#outbox.counters.promptTokensCached += cached
    if (sequence.choice === 0) sequence.request.cachedTokens = cached
    this.#emit.progress(sequence)
  }

  #runnable(): readonly Sequence[] {
    const running = this.#withRoom(this.#requests.running)
    // The newest first: sequences that have run for a while are unlikely to be at fault.
    const suspect = running.findLast((sequence) => sequence.suspect)
    return suspect === undefined ? running : [suspect]
  }

  #plan(running: readonly Sequence[]): StepPlan<Sequence> {
    const runnable =
      this.#media === undefined ? running : running.filter(({ nextMedia }) => nextMedia === undefined)
    const streams = runnable.filter((sequence) => sequence.generating).length
    // Streams with other adapters wait too, so they count.
    const chosen = this.#turns.choose(runnable)
    const promptTokens = this.#budget.tokens(streams)
    const limits = { promptTokens, mostOutputs: this.#mostOutputs, contextLength: this.#contextLength }
    const room = () => draftRoomBeside(chosen, this.#runtime.cache, limits)
    const guesses = this.#speculation?.plan(chosen, room) ?? 0
    return planStep(chosen, this.#budget.tokens(streams, guesses), this.#mostOutputs)
  }

  // ----------------------------------------------------------------------------------------------------- run

  #compute(plan: StepPlan<Sequence>): void {
    const rows = fillBatch(this.#batch, plan.work)
    const [first] = plan.work
    if (first !== undefined) this.#adapters.apply(this.#runtime.context, first.sequence.request.adapters)
    this.#turns.used(plan.promptTokens)
    const isUsual = plan.draftTokens === 0
    const { cache } = this.#runtime
    const drafts = isUsual
      ? undefined
      : plan.work.flatMap(({ sequence }) => CheckedDraft.of(sequence, cache) ?? [])
    const startedAt = this.#now()
    const result = this.#runtime.context.decode(this.#batch)
    this.#outbox.counters.decodeCalls++
    if (result === "no-room" && !isUsual) return this.#speculation?.pause()
    if (!this.#advance(plan, result)) return
    if (isUsual) this.#budget.observe(plan.decodeCount, plan.promptTokens, this.#now() - startedAt)
    for (const draft of drafts ?? []) draft.begin()
    this.#takeAll(rows)
    for (const draft of drafts ?? []) draft.settle(cache, this.#outbox.counters)
    this.#media?.computed(false)
  }

  /** A part of a picture or sound is a step of its own. */
  #computeMedia(media: MediaSteps, turn: MediaTurn): void {
    const { sequence } = turn
    this.#adapters.apply(this.#runtime.context, sequence.request.adapters)
    try {
      const { plan, result, rows } = media.compute(this.#runtime, turn, this.#budget.tokens(this.streams))
      this.#outbox.counters.decodeCalls++
      if (this.#advance(plan, result)) this.#takeAll(rows)
    } catch (error) {
      this.#requests.fail(sequence, asXllmError(error))
    }
    media.computed(true)
  }

  /** Counts what was computed; where nothing was, that is remedied. */
  #advance(plan: StepPlan<Sequence>, result: DecodeResult): boolean {
    if (result === "no-room") this.#recovery.makeSpace(plan.work)
    if (result === "failed") this.#recovery.isolate(plan.work)
    if (result !== "done") return false
    this.#recovery.advanced()
    for (const { sequence, tokens } of plan.work) {
      const { slot, media } = sequence
      if (slot === undefined) continue
      this.#runtime.cache.advance(slot, tokens)
      if (sequence.request.prepared.checkpoints.includes(slot.length))
        this.#runtime.cache.makeCheckpoint(slot, positionOf(media, slot.length))
      sequence.starvedAt = undefined
      if (sequence.generated === 0) sequence.request.promptTokensEvaluated += tokens
    }
    for (const sequence of this.#requests.running) if (!sequence.generating) sequence.waitedSteps++
    this.#outbox.counters.promptTokensEvaluated += plan.promptTokens
    this.#outbox.used(usageOf(plan, this.#runtime.cache.used))
    for (const { sequence } of plan.work) this.#emit.progress(sequence)
    return true
  }

  // -------------------------------------------------------------------------------------------- post-process

  /** A fault in one sequence's output ends only its own request. */
  #takeAll(rows: readonly LogitsRow[]): void {
    const broken = new Set<Sequence>()
    for (const row of rows) {
      if (row.sequence.finished || !this.#isReached(row)) continue
      try {
        this.#take(row)
      } catch (error) {
        if (error instanceof NotNumbers) broken.add(row.sequence)
        else this.#requests.fail(row.sequence, asXllmError(error))
      }
    }
    if (broken.size > 0) this.#recovery.findCulprits(broken)
  }

  /** Were all guesses before this token right? */
  #isReached({ sequence: { tokens, draft }, cell, index }: LogitsRow): boolean {
    if (draft.length === 0) return true
    return cell === tokens.length - 1 && this.#batch.tokens[index] === tokens[cell]
  }

  #take({ sequence, cell, index }: LogitsRow): void {
    const { prepared } = sequence.request
    if (cell < sequence.tokens.length - 1) return this.#scorePrompt(sequence, cell, index)
    const choice = prepared.maxTokens === 0 ? undefined : this.#sampler.sample(sequence, index)
    sequence.suspect = false
    if (sequence.generated === 0) this.#promptDone(sequence)
    if (choice === undefined) return this.#finish(sequence, "length")
    const { token, logprob } = choice
    if (token === sequence.draft[sequence.draftRight]) {
      sequence.draftRight++
      sequence.request.accepted++
    }
    this.#outbox.counters.tokensGenerated++
    const isStop = prepared.stopTokens.includes(token)
    if (this.#sampler.endsGeneration(token) || (isStop && !prepared.keepsStop)) {
      sequence.acceptEnd(token)
      return this.#finish(sequence, "stop")
    }
    const piece = sequence.accept(token, this.#shownBytes(sequence, token), logprob)
    if (piece !== undefined) this.#emit.parts(sequence, piece.events)
    if (piece?.stop !== undefined) return this.#finish(sequence, "stop", piece.stop)
    if (isStop) return this.#finish(sequence, "stop")
    if (piece !== undefined && (piece.isOver || this.#endsAtLineBreak(sequence, piece)))
      return this.#finish(sequence, "length")
    const limit = sequence.limitReached(this.#contextLength)
    if (limit !== undefined) this.#finish(sequence, limit)
  }

  #finish(sequence: Sequence, reason: FinishReason, stop?: string): void {
    this.#speculation?.ended(sequence)
    this.#requests.finish(sequence, reason, stop)
  }

  /** Has the piece a line break, and has the answer taken as long as its request allows? */
  #endsAtLineBreak({ request }: Sequence, { events }: AnswerPiece): boolean {
    const { lineBreakEndsAfterMs } = request.prepared
    if (lineBreakEndsAfterMs === undefined || request.generationMs(this.#now()) <= lineBreakEndsAfterMs)
      return false
    return events.some((event) => event.type === "delta" && event.text.includes("\n"))
  }

  /** The bytes that a token adds to the answer. */
  #shownBytes({ request }: Sequence, token: number): Uint8Array {
    const isHidden = request.prepared.hidesControlTokens && this.#sampler.isControl(token)
    return isHidden ? NO_BYTES : this.#sampler.bytes(token)
  }

  #scorePrompt(sequence: Sequence, cell: number, index: number): void {
    // A sequence that lost its cells is recomputed; these log probabilities were already sent.
    if (cell < sequence.scoredTokens) return
    const { id, prepared } = sequence.request
    const next = sequence.tokens[cell + 1] ?? 0
    const logprob = this.#sampler.scoreToken(index, next, prepared.topLogprobs ?? 0)
    sequence.scoredTokens = cell + 1
    this.#outbox.promptLogprob(id, logprob)
  }

  #promptDone(sequence: Sequence): void {
    const { request } = sequence
    request.promptDone(this.#now())
    this.#runtime.keeper?.observe(request)
    if (sequence.scoresPrompt) this.#emit.prompt(request)
  }
}

function usageOf({ work }: StepPlan<Sequence>, kvCellsUsed: number): StepUsage {
  const tokens = work.reduce((sum, each) => sum + each.tokens, 0)
  return { sequences: work.length, tokens, kvCellsUsed }
}
