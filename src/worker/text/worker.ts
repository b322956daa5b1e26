import { isVectorKind, type VectorRequest } from "../../domain/tasks"
import { asXllmError } from "../../errors/base"
import type { BatchCost } from "../../domain/batch-cost"
import type { KvPlan, TextModelSettings } from "../../domain/settings"
import { KvCacheLost } from "../../errors/engine"
import { NativeGrammar } from "../../llama/grammar"
import { type Library } from "../../llama/library"
import type { Vocabulary } from "../../llama/vocabulary"
import { type FromTextWorker, type ToTextWorker, type ToWorker } from "../../protocol/messages"
import { type CpuLease, openCpuLease } from "../cpu-lease"
import type { Embedder } from "../embedding/embedder"
import { answerAboutTokens, Tokenizer } from "../embedding/tokenizer"
import { type TextEmbedderParts } from "../embedding/text-embedder"
import { AdapterShelf, type HeldAdapters } from "./adapters/adapter-shelf"
import { AdapterSwitch } from "./adapters/adapter-switch"
import { PromptKeeper } from "./cache/disk/prompt-keeper"
import { SavedPrompts } from "./cache/disk/saved-prompts"
import { SlotActions } from "./cache/disk/slot-actions"
import { BatchTiming } from "./draft/batch-timing"
import { draftRangeOf } from "./draft/settings"
import { guessingModelOf } from "./draft/model-guesser"
import { Speculation } from "./draft/speculation"
import { type LoadedText } from "./load"
import { TextLoop } from "./loop"
import { MemoryRequests } from "./growth/memory-requests"
import { StepOutbox } from "./output/step-outbox"
import { conversationTooLarge } from "./growth/pool-bytes"
import { ContextLost, PoolGrowth } from "./growth/pool-growth"
import { MediaEncodings } from "./media/media-encodings"
import { MediaPrompts, type Senses } from "./media/media-prompts"
import { MediaSteps } from "./media/media-steps"
import type { Projector } from "./media/projector"
import type { PreparedRequest } from "./prompt/prepared"
import type { Preparation, PromptClient } from "./prompt/prompt-client"
import { RunningRequest } from "./request"
import { RestTimer } from "./rest-timer"
import type { Runtime } from "./runtime"
import { TokenIndex } from "./sampling/token-index"
import { ThreadGovernor } from "./threads"

/** Interval of heartbeats while a worker waits for the CPU lease, in ms. */
const SIGN_OF_LIFE_MS = 1000

/** Pause between steps while all requests wait, in ms: for a larger KV cache that is being made. */
const WAITING_MS = 2

/** When nothing has run for so long, there is time to measure; ms. */
const IDLE_MS = 300

type Generate = Extract<ToTextWorker, { type: "generate" }>
type GenerateVectors = Extract<ToWorker<VectorRequest>, { type: "generate" }>
type Render = Extract<ToTextWorker, { type: "render" }>

/** The engine sends a text worker both. */
function isVectors(message: Generate | GenerateVectors): message is GenerateVectors {
  return isVectorKind(message.request.kind)
}

interface TextWorkerParts {
  readonly loaded: LoadedText
  readonly plan: KvPlan
  /** The model's. */
  readonly name: string
  readonly prompts: PromptClient
  /** Absent: the model reads text only. */
  readonly senses: Senses | undefined
  readonly saved: SavedPrompts | undefined
  readonly batchCosts: readonly BatchCost[] | undefined
  readonly settings: TextModelSettings
  readonly tokenizer: Tokenizer
  /** Makes what embeds texts. */
  readonly embedder: (
    parts: Omit<TextEmbedderParts, "loaded" | "name" | "tokenizer" | "settings">,
  ) => Embedder
  readonly turnFolder: string
  readonly send: (message: FromTextWorker) => void
}

/** Handles the parent's messages and runs the loop while there is work. */
export class TextWorker {
  readonly #name: string
  readonly #prompts: MediaPrompts
  readonly #library: Library
  readonly #vocabulary: Vocabulary
  readonly #send: (message: FromTextWorker) => void
  readonly #outbox: StepOutbox
  readonly #runtime: Runtime
  readonly #loop: TextLoop
  readonly #memory: MemoryRequests
  readonly #shelf: AdapterShelf
  readonly #tokenizer: Tokenizer
  readonly #makeEmbedder: () => Embedder
  /** Undefined: no text was to be embedded yet. */
  #embedder: Embedder | undefined
  /** Requests whose prompts are still being prepared. */
  readonly #preparing = new Map<number, Preparation>()
  readonly #lease: CpuLease | undefined
  readonly #slotActions: SlotActions
  #looping = false
  /** Ends a pause between two steps. */
  #wake: (() => void) | undefined
  #isEnding = false
  readonly #restTimer = new RestTimer(() => {
    this.#attempt(() => this.#loop.rest())
    this.#embedder?.loop.rest()
  })
  /** Undefined: what batches cost is known, or not needed. */
  readonly #timing: BatchTiming | undefined
  readonly #idleTimer = new RestTimer(() => void this.#measure(), IDLE_MS)

  constructor({
    loaded,
    plan,
    name,
    prompts,
    senses,
    saved,
    batchCosts,
    settings,
    tokenizer,
    embedder,
    turnFolder,
    send,
  }: TextWorkerParts) {
    const now = (): number => performance.now()
    this.#name = name
    this.#prompts = new MediaPrompts(name, prompts, senses)
    this.#library = loaded.model.library
    this.#vocabulary = loaded.model.vocabulary
    prompts.onDropped = (prepared) => this.#grammarOf(prepared)?.[Symbol.dispose]()
    this.#send = send
    this.#tokenizer = tokenizer
    // A model entirely on GPUs needs no CPU lease.
    this.#lease = loaded.info.gpuLayers < loaded.info.totalLayers ? openCpuLease(turnFolder) : undefined
    this.#outbox = new StepOutbox(send)
    const { context, cache, threads } = loaded
    const runtime: Runtime = { context, cache, threads: new ThreadGovernor(threads, now) }
    if (saved !== undefined)
      runtime.keeper = new PromptKeeper(saved, runtime, (usage) => send({ type: "disk", usage }))
    this.#runtime = runtime
    this.#memory = new MemoryRequests(send, loaded.footprintWith, plan.bytes)
    const { counters } = this.#outbox
    this.#makeEmbedder = () =>
      embedder({
        memory: this.#memory,
        counters,
        adopt: (other) => runtime.threads.adopt(other),
        send: (message) => void process.send?.(message),
        onWork: () => void this.#run(),
      })
    const growth = new PoolGrowth({ ...loaded, runtime, memory: this.#memory, plan, counters, now })
    const speculation = loaded.info.speculation.isOn
      ? new Speculation(draftRangeOf(settings), batchCosts, guessingModelOf(loaded, runtime, plan.slots, now))
      : undefined
    if (speculation !== undefined && batchCosts === undefined)
      this.#timing = new BatchTiming(runtime, loaded.model.vocabulary.size, now, (costs) =>
        speculation.measured(costs),
      )
    const adapters = new AdapterSwitch(loaded.model, counters)
    this.#shelf = new AdapterShelf({
      model: name,
      loaded: loaded.loadedAdapters,
      own: loaded.ownAdapters,
      footprintOf: loaded.footprintOf,
      memory: this.#memory,
      detach: () => {
        if (!growth.suspended) adapters.detach(runtime.context)
      },
      isBlocked: () => growth.making,
      counters,
      lastError: () => this.#library.lastError(),
      now,
    })
    this.#loop = new TextLoop({
      ...loaded,
      runtime,
      media:
        senses &&
        loaded.projector &&
        this.#mediaSteps(loaded.projector, senses, loaded.info.projector?.device === "CPU"),
      speculation,
      adapters,
      outbox: this.#outbox,
      growth,
      outOfMemory: (tokens) => conversationTooLarge(name, plan, tokens, runtime.cache.cellsPerSequence),
      slots: plan.slots,
      now,
    })
    this.#slotActions = new SlotActions({
      runtime,
      saved,
      isSuspended: () => this.#loop.suspended,
      slots: plan.slots,
      contextLength: loaded.contextLength,
      now,
    })
    this.#idleTimer.start()
  }

  #mediaSteps(projector: Projector, { reader }: Senses, isOnCpu: boolean): MediaSteps {
    const encodings = new MediaEncodings({
      projector,
      reader,
      isBusy: () => this.#loop.streams > 0,
      isOnCpu,
      counters: this.#outbox.counters,
      now: () => performance.now(),
    })
    return new MediaSteps(encodings, projector.isWhole)
  }

  handle(message: Exclude<ToTextWorker, { type: "load" | "stop" }>): void {
    switch (message.type) {
      case "generate":
        return void this.#generate(message)
      case "cancel":
        return this.#cancel(message.id)
      case "render":
        return void this.#render(message)
      case "tokens":
        return void answerAboutTokens(this.#tokenizer, message.id, message.request).then(this.#send)
      case "slot":
        return void this.#actOnSlot(message)
      case "memory-answer":
        return this.#memory.answer(message.id, message.granted)
      default:
        message satisfies never
    }
  }

  async #generate(message: Generate | GenerateVectors): Promise<void> {
    if (isVectors(message)) return await (this.#embedder ??= this.#makeEmbedder()).generate(message)
    const { id, request, queueMs, loadMs } = message
    const preparation = this.#prompts.prepare(request)
    this.#preparing.set(id, preparation)
    try {
      const prepared = await preparation.prepared
      const startedAt = performance.now()
      const adapters = await this.#adaptersOf(prepared)
      const saved = await this.#runtime.keeper?.find(prepared)
      const grammar = this.#grammarOf(prepared)
      if (!this.#preparing.delete(id)) {
        adapters[Symbol.dispose]()
        return grammar?.[Symbol.dispose]()
      }
      const input = { id, prepared, queueMs, loadMs, startedAt, saved, grammar, adapters }
      this.#loop.submit(new RunningRequest(input))
      void this.#run()
    } catch (error) {
      if (!this.#preparing.delete(id)) return
      this.#outbox.error(id, asXllmError(error))
      this.#outbox.flush()
    }
  }

  /** @throws AdapterLoadFailed, NotEnoughMemory */
  async #adaptersOf(prepared: PreparedRequest): Promise<HeldAdapters> {
    try {
      return await this.#shelf.take(prepared.adapters)
    } catch (error) {
      this.#grammarOf(prepared)?.[Symbol.dispose]()
      throw error
    }
  }

  #grammarOf({ constraint }: PreparedRequest): NativeGrammar | undefined {
    if (constraint === undefined) return undefined
    TokenIndex.adopt(this.#vocabulary, constraint.index)
    return NativeGrammar.fromShare(this.#library, constraint.grammar)
  }

  /** Computes no more, and writes prompts to disk until `signal`. */
  async end(signal: AbortSignal): Promise<void> {
    this.#isEnding = true
    // While a larger cache is made in place of the old one, there is nothing to write.
    if (!this.#loop.suspended) await this.#runtime.keeper?.keepAll(signal)
  }

  #cancel(id: number): void {
    this.#preparing.get(id)?.forget()
    this.#preparing.delete(id)
    this.#loop.cancel(id)
    this.#wake?.()
    this.#slotActions.cancel(id)
    // No step may follow that would let the others have the slot.
    this.#slotActions.settle()
    this.#embedder?.cancel(id)
    // The parent waits for confirmation that the slots are free.
    this.#outbox.flush()
  }

  async #actOnSlot({ id, request }: Extract<ToTextWorker, { type: "slot" }>): Promise<void> {
    // Files may be large, and disks slow.
    const heartbeats = setInterval(() => this.#outbox.flush(), SIGN_OF_LIFE_MS)
    try {
      this.#send({ type: "slot", id, result: await this.#slotActions.run(id, request) })
    } catch (error) {
      this.#send({ type: "render-failed", id, error: asXllmError(error).toWire() })
    } finally {
      clearInterval(heartbeats)
    }
  }

  async #render({ id, request }: Render): Promise<void> {
    try {
      this.#send({ type: "rendered", id, result: await this.#prompts.render(request) })
    } catch (error) {
      this.#send({ type: "render-failed", id, error: asXllmError(error).toWire() })
    }
  }

  /** Runs steps while there is work, each under the CPU lease, and handles messages in between. */
  async #run(): Promise<void> {
    this.#wake?.()
    if (this.#looping) return
    this.#looping = true
    this.#restTimer.stop()
    this.#idleTimer.stop()
    this.#loop.resume()
    while ((this.#loop.busy || this.#embedder?.loop.busy) && !this.#isEnding) {
      const waitedMs =
        this.#lease === undefined || this.#lease.tryTake() ? 0 : await this.#waitForTurn(this.#lease)
      const isComputed = this.#attempt(() => this.#step(waitedMs))
      this.#lease?.giveBack()
      this.#slotActions.settle()
      if (isComputed) await new Promise((resolve) => setImmediate(resolve))
      else await this.#pause()
    }
    this.#looping = false
    this.#restTimer.start()
    this.#idleTimer.start()
  }

  /** Waits for what the next step needs: memory, or a picture, whose encoding may take minutes. */
  async #pause(): Promise<void> {
    const { encoded } = this.#loop
    if (encoded === undefined) return await Bun.sleep(WAITING_MS)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    // The step after it is a sign of life.
    const timer = setTimeout(resolve, SIGN_OF_LIFE_MS)
    await Promise.race([encoded, promise])
    clearTimeout(timer)
  }

  /** Finds out what batches cost, while nothing else is to be computed. */
  async #measure(): Promise<void> {
    const { context, threads } = this.#runtime
    const isIdle = (): boolean => !this.#looping && !this.#isEnding && !this.#loop.suspended
    if (this.#timing?.isOpen !== true || !isIdle()) return
    threads.begin(context)
    await this.#timing.run(isIdle, this.#lease)
  }

  /** One decode for answers, and one for vectors. Returns whether there was anything to compute. */
  #step(waitedMs: number): boolean {
    const { context, threads } = this.#runtime
    const isBusy = this.#loop.busy
    if (!isBusy && !this.#loop.suspended) threads.prepare(context, waitedMs)
    const isDecoded = isBusy && this.#loop.step({ waitedMs, contended: this.#lease?.contended ?? false })
    const isEmbedded = this.#embedder?.loop.busy === true && this.#embedder.loop.step()
    return isDecoded || isEmbedded
  }

  /** Without a context nothing can be done but to fail all requests and to end: the server starts another process. */
  #attempt<T>(work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof ContextLost)) throw error
      this.#isEnding = true
      this.#loop.abandon(new KvCacheLost(this.#name))
      // Messages arrive in order: this one is sent after all answers.
      process.send?.({ type: "step", events: [] } satisfies FromTextWorker, () => process.exit(1))
      return undefined
    }
  }

  /**
   * Waits for the CPU lease, with heartbeats so that the watchdog does not take this worker for hung.
   * Resolves to the wait in ms.
   */
  async #waitForTurn(lease: CpuLease): Promise<number> {
    const startedAt = performance.now()
    const heartbeats = setInterval(() => this.#outbox.flush(), SIGN_OF_LIFE_MS)
    await lease.wait()
    clearInterval(heartbeats)
    return performance.now() - startedAt
  }
}
