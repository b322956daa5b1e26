import Counter from "prom-client/lib/counter"
import Gauge from "prom-client/lib/gauge"
import Histogram from "prom-client/lib/histogram"
import Registry from "prom-client/lib/registry"
import type { GenerationEvent } from "./domain/chat"
import type { DiskUsage, LoadedModel, StepUsage } from "./domain/loaded-model"
import { isGenerationKind, type MediaEvent, type WorkEvent, type WorkRequest } from "./domain/tasks"
import { BulkHistogram } from "./lib/bulk-histogram"
import { processUsage } from "./lib/system/process-usage"

/** A request of a model. Its identity tells it from others. */
interface CountedRequest {
  readonly model: string
  readonly kind: WorkRequest["kind"]
}

/** A worker process: the n-th replica of a model. */
interface CountedWorker {
  readonly model: string
  readonly replica: number
}

type Done<E extends WorkEvent> = Extract<E, { readonly type: "done" }>

type CountedOutcome = Done<WorkEvent> | { readonly type: "cancelled" | "failed" | "unserved" }

interface MeasuredMemory {
  readonly totalBytes: number
  readonly freeBytes: number
}

/** What the gauges show, as the engine tells it when it is asked. */
export interface MeasuredState {
  readonly queue: {
    readonly models: readonly { readonly model: string; readonly running: number; readonly waiting: number }[]
  }
  readonly memory: {
    readonly system: MeasuredMemory
    readonly gpus: readonly (MeasuredMemory & { readonly name: string })[]
  }
  readonly models: readonly LoadedModel[]
}

/** A request over HTTP that is over. */
export interface CountedExchange {
  /** The route's own spelling; undefined where there was none. */
  readonly route: string | undefined
  /** As the engine calls it, never as the client does; undefined where no model was found. */
  readonly model: string | undefined
  readonly status: number
  readonly ms: number
}

/** Bounds in seconds. Waiting and whole answers reach from nothing at all to many minutes. */
const WAITING = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
const BETWEEN_TOKENS = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 5]
const TOKENS_PER_SECOND = [1, 2, 5, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000, 2000]
const SEQUENCES = [1, 2, 4, 8, 16, 32, 64, 128, 256]

const PREFIX = "xllm_"

/** The label of what has none: paths that are no routes, models that do not exist. */
const OTHER = ""

/** What the metrics call the memory that is no GPU's. */
const SYSTEM = "system"

/**
 * Everything that Prometheus may ask of the server. Counts are added when something happens: the methods without a
 * comment are those of the engine's `EngineObserver`, which says when they are called. States are read when asked.
 *
 * Every label has few values: models are those that the engine has found, never what a client called one.
 */
export class Metrics {
  readonly #registry = new Registry()
  #state: (() => MeasuredState) | undefined
  /** Requests that are under way: since when (`performance.now()`), and how many tokens they have. */
  readonly #open = new Map<CountedRequest, { readonly since: number; tokens: number }>()
  /** By model and replica: what the newest step used. */
  readonly #kvCellsUsed = new Map<string, CountedWorker & { readonly cells: number }>()

  readonly #exchanges = this.#counter(
    "http_requests_total",
    "Finished HTTP requests; status 499 if the client disconnected, the error's status if a stream was cut off.",
    ["route", "model", "status"],
  )
  readonly #inFlight = this.#gauge("http_requests_in_flight", "HTTP requests in progress.", [])
  readonly #exchangeSeconds = this.#histogram(
    "http_request_duration_seconds",
    "From the request to the last byte of its response.",
    "route",
    WAITING,
  )

  readonly #requests = this.#counter(
    "requests_total",
    "Finished requests to models, by kind (chat, completion, speech, transcription, image) and outcome.",
    ["model", "kind", "outcome"],
  )
  readonly #requestSeconds = this.#histogram(
    "request_duration_seconds",
    "From a request's arrival to its end, for completed requests.",
    "kind",
    WAITING,
  )
  readonly #generations = this.#counter(
    "generations_total",
    "Finished text generations by outcome: done, cancelled, failed, unserved (never started) or refused (queue full).",
    ["model", "outcome"],
  )
  readonly #queueSeconds = this.#histogram(
    "queue_wait_seconds",
    "Time in the queue, without loading the model.",
    "model",
    WAITING,
  )
  readonly #firstTokenSeconds = this.#histogram(
    "time_to_first_token_seconds",
    "From a request's arrival to its first token.",
    "model",
    WAITING,
  )
  readonly #tokenSeconds = this.#bulk(
    "inter_token_seconds",
    "Time per output token within an answer.",
    BETWEEN_TOKENS,
  )
  readonly #generationSeconds = this.#histogram(
    "generation_duration_seconds",
    "From a request's arrival to its end, for completed requests.",
    "model",
    WAITING,
  )
  readonly #promptTokens = this.#counter(
    "prompt_tokens_total",
    "Prompt tokens of answered requests, including cached ones.",
    ["model"],
  )
  readonly #cachedTokens = this.#counter(
    "cached_prompt_tokens_total",
    "Prompt tokens taken from a cached prefix.",
    ["model"],
  )
  readonly #generatedTokens = this.#counter(
    "generated_tokens_total",
    "Generated tokens, including cancelled and failed requests.",
    ["model"],
  )
  readonly #tokenRate = this.#histogram(
    "tokens_per_second",
    "Generation rate per answered request, without the first token.",
    "model",
    TOKENS_PER_SECOND,
  )

  readonly #firstAudioSeconds = this.#histogram(
    "time_to_first_audio_seconds",
    "From a request's arrival to its first audio.",
    "model",
    WAITING,
  )
  readonly #spokenCharacters = this.#counter(
    "speech_characters_total",
    "Characters synthesized by completed requests.",
    ["model"],
  )
  readonly #spokenSeconds = this.#counter(
    "speech_audio_seconds_total",
    "Audio synthesized by completed requests.",
    ["model"],
  )
  readonly #heardSeconds = this.#counter(
    "transcription_audio_seconds_total",
    "Audio transcribed by completed requests.",
    ["model"],
  )
  readonly #images = this.#counter("images_total", "Images generated by completed requests.", ["model"])
  readonly #imageSteps = this.#counter("image_steps_total", "Diffusion steps of completed requests.", [
    "model",
  ])
  readonly #mediaSeconds = this.#counter(
    "media_work_seconds_total",
    "Worker time spent on speech, transcription and images by completed requests.",
    ["model"],
  )

  readonly #batchSequences = this.#bulk("batch_sequences", "Sequences per decode step.", SEQUENCES)

  readonly #loads = this.#counter("model_loads_total", "Attempts to load a model, by result.", [
    "model",
    "result",
  ])
  readonly #loadSeconds = this.#histogram(
    "model_load_seconds",
    "From the start of a worker until it is ready.",
    "model",
    WAITING,
  )
  readonly #unloads = this.#counter("model_unloads_total", "Workers unloaded on purpose, by reason.", [
    "model",
    "reason",
  ])
  readonly #evictions = this.#counter(
    "model_evictions_total",
    "Workers unloaded to free memory for another model.",
    ["model"],
  )
  readonly #crashes = this.#counter(
    "worker_crashes_total",
    "Workers that crashed, or were killed because they hung.",
    ["model"],
  )

  readonly #running = this.#gauge("requests_running", "Requests that have a slot.", ["model"])
  readonly #waiting = this.#gauge("requests_waiting", "Requests in the queue.", ["model"])
  readonly #workers = this.#gauge("model_workers", "Worker processes by state.", ["model", "state"])
  readonly #kvCells = this.#gauge("kv_cells", "Capacity of the KV cache in tokens.", ["model", "replica"])
  readonly #kvUsed = this.#gauge("kv_cells_used", "Tokens in the KV cache, including cached prefixes.", [
    "model",
    "replica",
  ])
  readonly #modelMemory = this.#gauge("model_memory_bytes", "Memory of a loaded model, by device.", [
    "model",
    "replica",
    "device",
  ])
  readonly #memoryTotal = this.#gauge("memory_total_bytes", "Memory of a device.", ["device"])
  readonly #memoryUsed = this.#gauge("memory_used_bytes", "Memory of a device that is in use or reserved.", [
    "device",
  ])

  readonly #savedPrompts = this.#counter(
    "saved_prompts_total",
    "Prompts that continued one on disk (hit), or were neither there nor in memory (miss).",
    ["model", "result"],
  )
  readonly #savedPromptBytes = this.#counter(
    "saved_prompt_bytes_total",
    "Bytes of prompts read from disk and written to it.",
    ["model", "direction"],
  )
  readonly #savedPromptSeconds = this.#counter(
    "saved_prompt_seconds_total",
    "How much longer evaluating the prompts that were read from disk would have taken.",
    ["model"],
  )

  readonly #cpuSeconds = this.#counter(
    "process_cpu_seconds_total",
    "CPU time of the server process, without its workers.",
    [],
  )
  readonly #resident = this.#gauge(
    "process_resident_memory_bytes",
    "Resident memory of the server process.",
    [],
  )
  readonly #heap = this.#gauge("process_heap_bytes", "JavaScript heap of the server process.", [])
  readonly #openFiles = this.#gauge("process_open_fds", "Open file descriptors of the server process.", [])

  constructor({ version, startedAt }: { readonly version: string; readonly startedAt: Date }) {
    this.#gauge("build_info", "1; the version is in the label.", ["version"]).set({ version }, 1)
    this.#gauge("process_start_time_seconds", "Start of the server process, in Unix time.", []).set(
      startedAt.getTime() / 1000,
    )
  }

  /** Where the gauges' values come from; `state` is asked at every scrape. */
  measure(state: () => MeasuredState): void {
    this.#state = state
  }

  /** Everything, in Prometheus' text format. */
  async text(): Promise<string> {
    this.#measureState()
    this.#measureProcess()
    return this.#registry.metrics()
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** An HTTP request has come. */
  exchangeBegan(): void {
    this.#inFlight.inc()
  }

  /** An HTTP request is over; called once for each that began. */
  exchangeEnded({ route = OTHER, model = OTHER, status, ms }: CountedExchange): void {
    this.#inFlight.dec()
    this.#exchanges.inc({ route, model, status })
    this.#exchangeSeconds.observe({ route }, ms / 1000)
  }

  requestQueued(request: CountedRequest): void {
    this.#open.set(request, { since: performance.now(), tokens: 0 })
  }

  requestStarted({ model }: CountedRequest, queueMs: number): void {
    this.#queueSeconds.observe({ model }, queueMs / 1000)
  }

  firstToken(request: CountedRequest, ms: number): void {
    this.#firstTokenSeconds.observe({ model: request.model }, ms / 1000)
    this.#count(request, 1)
  }

  firstAudio({ model }: CountedRequest, ms: number): void {
    this.#firstAudioSeconds.observe({ model }, ms / 1000)
  }

  nextTokens(request: CountedRequest, tokens: number, ms: number): void {
    if (tokens > 0) this.#tokenSeconds.add(request.model, ms / 1000 / tokens, tokens)
    this.#count(request, tokens)
  }

  requestFinished(request: CountedRequest, outcome: CountedOutcome): void {
    const { model } = request
    const open = this.#open.get(request)
    this.#open.delete(request)
    this.#countRequest(request, outcome.type)
    if (outcome.type !== "done") {
      if (isText(request)) this.#generatedTokens.inc({ model }, open?.tokens ?? 0)
      return
    }
    const seconds = open === undefined ? undefined : (performance.now() - open.since) / 1000
    if (seconds !== undefined) this.#requestSeconds.observe({ kind: request.kind }, seconds)
    if (!isGeneration(outcome)) return this.#countMedia(model, outcome)
    if (seconds !== undefined) this.#generationSeconds.observe({ model }, seconds)
    this.#countGeneration(model, outcome)
  }

  #countRequest(request: CountedRequest, outcome: string): void {
    const { model, kind } = request
    this.#requests.inc({ model, kind, outcome })
    if (isText(request)) this.#generations.inc({ model, outcome })
  }

  #countMedia(model: string, { usage, timings }: Done<MediaEvent>): void {
    this.#mediaSeconds.inc({ model }, timings.workMs / 1000)
    if ("images" in usage) {
      this.#images.inc({ model }, usage.images)
      this.#imageSteps.inc({ model }, usage.steps)
    } else if ("characters" in usage) {
      this.#spokenCharacters.inc({ model }, usage.characters)
      this.#spokenSeconds.inc({ model }, usage.audioSeconds)
    } else {
      this.#heardSeconds.inc({ model }, usage.audioSeconds)
    }
  }

  #countGeneration(model: string, { usage, timings }: Done<GenerationEvent>): void {
    this.#promptTokens.inc({ model }, usage.promptTokens)
    this.#cachedTokens.inc({ model }, usage.cachedTokens)
    this.#generatedTokens.inc({ model }, usage.completionTokens)
    const paidFor = timings.generatedTokens - 1
    if (paidFor > 0 && timings.generationMs > 0) {
      this.#tokenRate.observe({ model }, (paidFor * 1000) / timings.generationMs)
    }
  }

  requestRefused(request: CountedRequest): void {
    this.#countRequest(request, "refused")
  }

  modelLoading(_worker: CountedWorker): void {
    // How it ends is counted.
  }

  modelLoaded({ model }: CountedWorker, ms: number): void {
    this.#loads.inc({ model, result: "loaded" })
    this.#loadSeconds.observe({ model }, ms / 1000)
  }

  modelLoadFailed({ model }: CountedWorker): void {
    this.#loads.inc({ model, result: "failed" })
  }

  modelUnloaded(worker: CountedWorker, reason: string): void {
    const { model } = worker
    this.#kvCellsUsed.delete(keyOf(worker))
    this.#unloads.inc({ model, reason })
    if (reason === "memory") this.#evictions.inc({ model })
  }

  workerCrashed(worker: CountedWorker): void {
    this.#kvCellsUsed.delete(keyOf(worker))
    this.#crashes.inc({ model: worker.model })
  }

  step(worker: CountedWorker, usage: StepUsage): void {
    this.#batchSequences.add(worker.model, usage.sequences)
    this.#kvCellsUsed.set(keyOf(worker), { ...worker, cells: usage.kvCellsUsed })
  }

  promptsOnDisk({ model }: CountedWorker, usage: DiskUsage): void {
    this.#savedPrompts.inc({ model, result: "hit" }, usage.hits)
    this.#savedPrompts.inc({ model, result: "miss" }, usage.misses)
    this.#savedPromptBytes.inc({ model, direction: "read" }, usage.bytesRead)
    this.#savedPromptBytes.inc({ model, direction: "written" }, usage.bytesWritten)
    this.#savedPromptSeconds.inc({ model }, usage.savedMs / 1000)
  }

  #count(request: CountedRequest, tokens: number): void {
    const open = this.#open.get(request)
    if (open !== undefined) open.tokens += tokens
  }

  #measureState(): void {
    const state = this.#state?.()
    if (state === undefined) return
    for (const gauge of [this.#running, this.#waiting, this.#workers, this.#kvCells, this.#kvUsed])
      gauge.reset()
    for (const gauge of [this.#modelMemory, this.#memoryTotal, this.#memoryUsed]) gauge.reset()
    for (const { model, running, waiting } of state.queue.models) {
      this.#running.set({ model }, running)
      this.#waiting.set({ model }, waiting)
    }
    for (const model of state.models) this.#measureModel(model)
    for (const { model, replica, cells } of this.#kvCellsUsed.values())
      this.#kvUsed.set({ model, replica }, cells)
    this.#measureMemory(SYSTEM, state.memory.system)
    for (const gpu of state.memory.gpus) this.#measureMemory(gpu.name, gpu)
  }

  #measureModel({ name: model, replica = 1, state, info, footprint = info?.footprint }: LoadedModel): void {
    this.#workers.inc({ model, state })
    if (info?.kind === "text") this.#kvCells.set({ model, replica }, info.kvCells)
    if (footprint === undefined) return
    this.#modelMemory.set({ model, replica, device: SYSTEM }, footprint.ramBytes)
    for (const { name: device, bytes } of footprint.devices)
      this.#modelMemory.set({ model, replica, device }, bytes)
  }

  #measureMemory(device: string, { totalBytes, freeBytes }: MeasuredMemory): void {
    this.#memoryTotal.set({ device }, totalBytes)
    this.#memoryUsed.set({ device }, Math.max(0, totalBytes - freeBytes))
  }

  #measureProcess(): void {
    const { cpuSeconds, residentBytes, heapBytes, openFiles } = processUsage()
    this.#cpuSeconds.reset()
    this.#cpuSeconds.inc(cpuSeconds)
    this.#resident.set(residentBytes)
    this.#heap.set(heapBytes)
    if (openFiles !== undefined) this.#openFiles.set(openFiles)
  }

  #counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({
      name: PREFIX + name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
    })
  }

  #gauge<L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> {
    return new Gauge({ name: PREFIX + name, help, labelNames: [...labelNames], registers: [this.#registry] })
  }

  #histogram<L extends string>(name: string, help: string, label: L, buckets: number[]): Histogram<L> {
    return new Histogram({
      name: PREFIX + name,
      help,
      labelNames: [label],
      buckets,
      registers: [this.#registry],
    })
  }

  #bulk(name: string, help: string, buckets: number[]): BulkHistogram {
    return new BulkHistogram({ name: PREFIX + name, help, buckets, registers: [this.#registry] })
  }
}

function isText({ kind }: CountedRequest): boolean {
  return isGenerationKind(kind)
}

function isGeneration(done: Done<WorkEvent>): done is Done<GenerationEvent> {
  return "promptTokens" in done.usage
}

function keyOf({ model, replica }: CountedWorker): string {
  return `${replica} ${model}`
}
