import type { FinishReason } from "../../domain/chat"
import type { StepUsage } from "../../domain/loaded-model"
import { asXllmError, type XllmError } from "../../errors/base"
import { DecodeFailed, NotNumbers } from "../../errors/engine"
import { ContextLengthExceeded } from "../../errors/request"
import { Batch } from "../../llama/batch"
import type { Context } from "../../llama/context"
import type { Model } from "../../llama/model"
import { PrefillBudget } from "./budget"
import type { KvCache } from "./cache/kv-cache"
import { SlotAllocator } from "./cache/slot-allocator"
import { leastRecentlyUsedPrefix, planSlotSwap } from "./cache/slots"
import type { StepOutbox } from "./output/step-outbox"
import type { TextPiece } from "./output/text-output"
import type { RunningRequest } from "./request"
import { TokenSampler } from "./sampling/token-sampler"
import { OVERDRAFT, planStep, type StepPlan } from "./scheduler"
import type { Sequence } from "./sequence"
import { fillBatch, type LogitsRow } from "./step-batch"
import type { ThreadGovernor } from "./threads"

/** Steps to wait for a new request to fill a gap between generating sequences before slots are swapped. */
const STEPS_BEFORE_SWAP = 4

const NO_BYTES = new Uint8Array(0)

const NO_TEXT: TextPiece = { text: "", tokens: 0 }

export interface TextLoopParts {
  readonly model: Model
  readonly context: Context
  readonly cache: KvCache
  readonly outbox: StepOutbox
  readonly threads: ThreadGovernor
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
  readonly #context: Context
  readonly #cache: KvCache
  readonly #outbox: StepOutbox
  readonly #threads: ThreadGovernor
  readonly #contextLength: number
  readonly #mostOutputs: number
  readonly #now: () => number
  readonly #batch: Batch
  readonly #budget: PrefillBudget
  readonly #sampler: TokenSampler
  readonly #allocator: SlotAllocator
  readonly #requests = new Map<number, RunningRequest>()
  #waiting: Sequence[] = []
  #running: Sequence[] = []
  #step = 0
  #stepsWithGaps = 0
  /**
   * Set when a sequence was just paused: nothing is admitted until the others advance, or its cells would be
   * taken at once.
   */
  #full = false

  constructor(parts: TextLoopParts) {
    this.#context = parts.context
    this.#cache = parts.cache
    this.#outbox = parts.outbox
    this.#threads = parts.threads
    this.#contextLength = parts.contextLength
    this.#mostOutputs = parts.mostOutputs
    this.#now = parts.now
    this.#batch = new Batch(parts.batchTokens, parts.cache.slots.length)
    this.#budget = new PrefillBudget(Math.floor(parts.batchTokens / (1 + OVERDRAFT)))
    this.#sampler = new TokenSampler(parts.context, parts.model, parts.contextLength)
    this.#allocator = new SlotAllocator(parts.cache)
  }

  /** Is there work to do? */
  get busy(): boolean {
    return this.#requests.size > 0
  }

  /** Adds a request whose sequences exist and emits `accepted`; it joins at the next step. */
  submit(request: RunningRequest): void {
    this.#requests.set(request.id, request)
    this.#waiting.push(...request.sequences)
    if (request.prepared.isJudged) return this.#tellFirstToken(request)
    this.#emitPrompt(request)
    this.#outbox.flush()
  }

  /** Cancels a request and frees its slots at once. */
  cancel(id: number): void {
    const request = this.#requests.get(id)
    if (request === undefined) return
    for (const sequence of request.sequences) this.#retire(sequence)
    this.#forget(request)
    this.#outbox.drop(id)
  }

  /** Call before the first step after a pause. */
  resume(): void {
    this.#threads.begin(this.#context)
  }

  /** Runs one decode step and emits the results. */
  step(turn: StepContext = ALONE): void {
    this.#step++
    this.#threads.prepare(this.#context, turn.waitedMs)
    this.#context.setPolling(!turn.contended)
    this.#admit()
    // Sent before the step, which may be long: the number of cached prompt tokens is already known.
    if (!this.#outbox.empty) this.#outbox.flush()
    this.#closeGaps()
    const plan = this.#plan()
    if (plan.work.length > 0) this.#compute(plan)
    this.#outbox.flush()
  }

  // ------------------------------------------------------------------------------------------------ one step

  #admit(): void {
    if (this.#cache.needsWiping(this.#running.length)) this.#wipe()
    if (this.#full && this.#running.length > 0) return
    const admitted = this.#allocator.admit(this.#waiting, this.#running)
    for (const sequence of admitted) this.#begin(sequence)
    if (admitted.length > 0) this.#waiting = this.#waiting.filter((sequence) => sequence.slot === undefined)
    this.#cache.forgetSaved()
  }

  #begin(sequence: Sequence): void {
    this.#running.push(sequence)
    if (sequence.begun) return
    sequence.begun = true
    const cached = sequence.slot?.length ?? 0
    this.#outbox.counters.promptTokensCached += cached
    if (sequence.choice === 0) sequence.request.cachedTokens = cached
    this.#emitProgress(sequence, this.#now())
  }

  /** With the split layout, each gap between generating sequences costs another pass over the weights. */
  #closeGaps(): void {
    if (this.#cache.layout !== "split" || !this.#cache.traits.trims) return
    const generating = this.#running.flatMap((sequence) =>
      sequence.generating && sequence.slot !== undefined ? [sequence.slot] : [],
    )
    const exchange = generating.length > 1 ? planSlotSwap(generating, this.#cache.usable) : undefined
    this.#stepsWithGaps = exchange === undefined ? 0 : this.#stepsWithGaps + 1
    if (exchange !== undefined && this.#stepsWithGaps > STEPS_BEFORE_SWAP)
      this.#cache.exchange(exchange.from, exchange.to)
  }

  #plan(): StepPlan<Sequence> {
    // The newest first: sequences that have run for a while are unlikely to be at fault.
    const suspect = this.#running.findLast((sequence) => sequence.suspect)
    const runnable = suspect === undefined ? this.#running : [suspect]
    const streams = runnable.filter((sequence) => sequence.generating).length
    return planStep(runnable, this.#budget.tokens(streams), this.#mostOutputs)
  }

  #compute(plan: StepPlan<Sequence>): void {
    const outputs = fillBatch(this.#batch, plan.work)
    const startedAt = this.#now()
    const result = this.#context.decode(this.#batch)
    this.#outbox.counters.decodeCalls++
    if (result === "no-room") return this.#makeSpace(plan)
    if (result === "failed") return this.#isolate(plan)
    this.#advance(plan)
    this.#outbox.used(this.#usageOf(plan))
    const computedAt = this.#now()
    this.#budget.observe(plan.decodeCount, plan.promptTokens, computedAt - startedAt)
    for (const { sequence } of plan.work) this.#emitProgress(sequence, computedAt)
    this.#takeAll(outputs)
  }

  #advance(plan: StepPlan<Sequence>): void {
    this.#full = false
    for (const { sequence, tokens } of plan.work) {
      if (sequence.slot === undefined) continue
      sequence.slot.length += tokens
      sequence.slot.lastUsed = this.#step
      if (sequence.generated === 0) sequence.request.promptTokensEvaluated += tokens
    }
    for (const sequence of this.#running) if (!sequence.generating) sequence.waitedSteps++
    this.#outbox.counters.promptTokensEvaluated += plan.promptTokens
  }

  #usageOf(plan: StepPlan<Sequence>): StepUsage {
    const tokens = plan.work.reduce((sum, work) => sum + work.tokens, 0)
    return { sequences: plan.work.length, tokens, kvCellsUsed: this.#cache.used }
  }

  // ---------------------------------------------------------------------------------------------- recovery

  /** The pool is full: drops idle prefixes first, then pauses the youngest stream. Nothing was computed. */
  #makeSpace(plan: StepPlan<Sequence>): void {
    const prefix = leastRecentlyUsedPrefix(this.#cache.slots)
    if (prefix !== undefined) return this.#cache.clear(prefix)
    const youngest = this.#running[this.#running.length - 1]
    if (youngest !== undefined && this.#running.length > 1) return this.#pause(youngest)
    for (const { sequence } of plan.work)
      this.#fail(
        sequence,
        new ContextLengthExceeded(
          sequence.tokens.length,
          this.#contextLength,
          sequence.request.prepared.field,
        ),
      )
  }

  /** Releases a sequence's cells; it is recomputed from its tokens when there is room. */
  #pause(sequence: Sequence): void {
    this.#outbox.counters.preemptions++
    if (sequence.slot !== undefined) {
      this.#cache.clear(sequence.slot)
      this.#cache.release(sequence.slot, this.#step)
      sequence.slot = undefined
    }
    this.#running = this.#running.filter((other) => other !== sequence)
    this.#waiting.unshift(sequence)
    this.#full = true
  }

  /** A batch failed: recomputes each of its sequences alone, so that only the faulty one fails. */
  #isolate(plan: StepPlan<Sequence>): void {
    for (const { sequence } of plan.work) if (sequence.slot !== undefined) this.#cache.clear(sequence.slot)
    const [only] = plan.work
    if (plan.work.length === 1 && only?.sequence.suspect)
      return this.#fail(
        only.sequence,
        new DecodeFailed("llama.cpp failed to compute this sequence, also on its own"),
      )
    for (const { sequence } of plan.work) sequence.suspect = true
  }

  /**
   * Some outputs are NaN, so some cells contain NaN. With a shared pool these can affect every sequence, now
   * and later, in spite of the mask: masking adds -Infinity, and NaN stays NaN. So the cache is wiped and all
   * sequences are recomputed one by one until the faulty ones are found.
   */
  #findCulprits(broken: ReadonlySet<Sequence>): void {
    const isConfined = this.#cache.layout === "split"
    const isFound = isConfined || this.#running.length === 1 || [...broken].every(({ suspect }) => suspect)
    if (isFound) for (const sequence of broken) this.#failBroken(sequence)
    if (isConfined) return
    this.#wipe()
    for (const sequence of this.#running) sequence.suspect = !isFound
  }

  #failBroken(sequence: Sequence): void {
    const { slot } = sequence
    if (!sequence.finished) this.#fail(sequence, new NotNumbers())
    if (slot !== undefined) this.#cache.taint(slot)
  }

  /** Clears the whole cache; running sequences are recomputed from their tokens. */
  #wipe(): void {
    this.#cache.wipe()
    for (const sequence of this.#running) sequence.shared = undefined
  }

  // ----------------------------------------------------------------------------------------------- outputs

  /** A fault in one sequence's output ends only its own request. */
  #takeAll(outputs: readonly LogitsRow[]): void {
    const broken = new Set<Sequence>()
    for (const output of outputs) {
      if (output.sequence.finished) continue
      try {
        this.#take(output)
      } catch (error) {
        if (error instanceof NotNumbers) broken.add(output.sequence)
        else this.#fail(output.sequence, asXllmError(error))
      }
    }
    if (broken.size > 0) this.#findCulprits(broken)
  }

  #take({ sequence, position, index }: LogitsRow): void {
    const { prepared } = sequence.request
    if (position < sequence.tokens.length - 1) return this.#judge(sequence, position, index)
    const choice = prepared.maxTokens === 0 ? undefined : this.#sampler.sample(sequence, index)
    sequence.suspect = false
    if (sequence.generated === 0) this.#promptDone(sequence)
    if (choice === undefined) return this.#finish(sequence, "length")
    const { token, logprob } = choice
    this.#outbox.counters.tokensGenerated++
    const isStop = prepared.stopTokens.includes(token)
    if (this.#sampler.endsGeneration(token) || (isStop && !prepared.keepsStop)) {
      sequence.acceptEnd(token)
      return this.#finish(sequence, "stop")
    }
    const piece = sequence.accept(token, this.#shownBytes(sequence, token), logprob)
    if (piece !== undefined) this.#emitText(sequence, piece)
    if (piece?.stop !== undefined) return this.#finish(sequence, "stop", piece.stop)
    if (isStop) return this.#finish(sequence, "stop")
    const limit = sequence.limitReached(this.#contextLength)
    if (limit !== undefined) this.#finish(sequence, limit)
  }

  /** The bytes that a token adds to the answer. */
  #shownBytes({ request }: Sequence, token: number): Uint8Array {
    const isHidden = request.prepared.hidesControlTokens && this.#sampler.isControl(token)
    return isHidden ? NO_BYTES : this.#sampler.bytes(token)
  }

  #judge(sequence: Sequence, position: number, index: number): void {
    // A sequence that lost its cells is recomputed; these log probabilities were already sent.
    if (position < sequence.judgedTokens) return
    const { id, prepared } = sequence.request
    const next = sequence.tokens[position + 1] ?? 0
    const wantsPromptLogprobs = this.#sampler.scoreToken(index, next, prepared.topLogprobs ?? 0)
    sequence.judgedTokens = position + 1
    this.#outbox.wantsPromptLogprobs(id, wantsPromptLogprobs)
  }

  #promptDone(sequence: Sequence): void {
    const { request } = sequence
    request.promptDone(this.#now())
    if (sequence.wantsPromptLogprobs) this.#emitPrompt(request)
  }

  #finish(sequence: Sequence, reason: FinishReason, stop?: string): void {
    const { request } = sequence
    const rest = stop === undefined ? sequence.endOfAnswer() : undefined
    if (rest !== undefined || request.prepared.reportsTokens) this.#emitText(sequence, rest ?? NO_TEXT)
    this.#retire(sequence)
    this.#outbox.event(request.id, {
      type: "finish",
      choice: sequence.choice,
      reason,
      ...(stop !== undefined && { stop }),
      completionTokens: sequence.generated,
    })
    if (!request.finished) return
    this.#outbox.event(request.id, {
      type: "done",
      usage: request.usage(),
      timings: request.timings(this.#now()),
    })
    this.#forget(request)
  }

  /** Fails the whole request because one of its choices failed. */
  #fail(sequence: Sequence, error: XllmError): void {
    const { request } = sequence
    for (const choice of request.sequences) this.#retire(choice)
    this.#outbox.error(request.id, error)
    this.#forget(request)
  }

  /** Ends a sequence; its slot keeps the cached tokens. */
  #retire(sequence: Sequence): void {
    if (sequence.finished) return
    sequence.finished = true
    if (sequence.slot !== undefined) this.#cache.release(sequence.slot, this.#step)
    sequence.slot = undefined
    sequence.sampler?.[Symbol.dispose]()
    this.#running = this.#running.filter((other) => other !== sequence)
    this.#waiting = this.#waiting.filter((other) => other !== sequence)
  }

  #forget(request: RunningRequest): void {
    this.#requests.delete(request.id)
  }

  // ------------------------------------------------------------------------------------------------- events

  /** Sends the first token of a prompt without a log probability, since no token precedes it. */
  #tellFirstToken({ id, prepared }: RunningRequest): void {
    const first = prepared.tokens[0] ?? 0
    this.#outbox.wantsPromptLogprobs(id, { id: first, bytes: Array.from(this.#sampler.bytes(first)) })
  }

  #emitPrompt({ id, prepared }: RunningRequest): void {
    const { tokens, echo, warnings } = prepared
    this.#outbox.event(id, {
      type: "prompt",
      tokens: tokens.length,
      ...(echo !== undefined && { text: echo }),
      ...(warnings.length > 0 && { warnings }),
    })
  }

  #emitText(sequence: Sequence, { text, tokens, logprobs }: TextPiece): void {
    const ids = sequence.takeUntold()
    this.#outbox.event(sequence.request.id, {
      type: "delta",
      choice: sequence.choice,
      part: "text",
      text,
      tokens,
      ...(logprobs !== undefined && { logprobs }),
      ...(ids !== undefined && { ids }),
    })
  }

  #emitProgress(sequence: Sequence, now: number): void {
    const { request } = sequence
    if (!request.prepared.returnProgress || sequence.choice !== 0 || sequence.slot === undefined) return
    const total = request.prepared.tokens.length
    if (sequence.slot.length > total) return
    this.#outbox.event(request.id, {
      type: "progress",
      total,
      cached: request.cachedTokens,
      processed: sequence.slot.length,
      ms: request.elapsed(now),
    })
  }
}
