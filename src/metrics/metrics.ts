import type { AdapterUsage, DiskUsage, DraftCounts, MediaUsage, StepUsage } from "../domain/loaded-model"
import { Activity } from "./activity"
import { LlamaMetrics } from "./llama-metrics"
import { ProcessMetrics } from "./process-metrics"
import { MetricRegistry, WAITING } from "./registry"
import { type CountedOutcome, type CountedRequest, RequestMetrics } from "./request-metrics"
import { type MeasuredState, StateMetrics } from "./state-metrics"
import { type CountedWorker, WorkerMetrics } from "./worker-metrics"

/** A finished HTTP request. */
export interface CountedExchange {
  /** The route's own spelling; undefined where there was none. */
  readonly route: string | undefined
  /** As the engine calls it, never as the client does; undefined where no model was found. */
  readonly model: string | undefined
  readonly status: number
  readonly ms: number
}

/** The label of paths that are no routes, and of models that do not exist. */
const OTHER = ""

/**
 * Everything that the server reports to Prometheus. Counts are added when something happens: the methods without a
 * comment are those of the engine's `EngineObserver`, which says when they are called. States are read at every scrape.
 *
 * Every label has few values: models are those that the engine has found, never names sent by clients.
 */
export class Metrics {
  readonly #registry = new MetricRegistry()
  readonly #http = createHttpMetrics(this.#registry)
  readonly #llama = new LlamaMetrics(this.#registry)
  readonly #requests = new RequestMetrics(this.#registry, this.#llama)
  readonly #workers = new WorkerMetrics(this.#registry)
  readonly #states = new StateMetrics(this.#registry)
  readonly #process: ProcessMetrics
  readonly startedAt: Date
  /** The same, for those who watch. */
  readonly activity = new Activity()
  #state: (() => MeasuredState) | undefined

  constructor(build: { readonly version: string; readonly startedAt: Date }) {
    this.#process = new ProcessMetrics(this.#registry, build)
    this.startedAt = build.startedAt
  }

  /** Where the gauges' values come from; `state` is called at every scrape. */
  measure(state: () => MeasuredState): void {
    this.#state = state
  }

  /** Everything, in Prometheus' text format. */
  async text(): Promise<string> {
    const state = this.#state?.()
    if (state !== undefined) this.#states.measure(state, this.#workers.kvCellsUsed)
    this.#llama.measure(state)
    this.#process.measure()
    return this.#registry.text()
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** An HTTP request has arrived. */
  exchangeBegan(): void {
    this.#http.inFlight.inc()
  }

  /** An HTTP request is finished; called once for each that began. */
  exchangeEnded({ route = OTHER, model = OTHER, status, ms }: CountedExchange): void {
    this.#http.inFlight.dec()
    this.#http.requests.inc({ route, model, status })
    this.#http.exchangeSeconds.observe({ route }, ms / 1000)
  }

  requestQueued(request: CountedRequest): void {
    this.#requests.requestQueued(request)
  }

  requestStarted(request: CountedRequest, queueMs: number): void {
    this.#requests.requestStarted(request, queueMs)
  }

  firstToken(request: CountedRequest, ms: number): void {
    this.#requests.firstToken(request, ms)
    this.activity.firstToken(ms)
  }

  firstAudio(request: CountedRequest, ms: number): void {
    this.#requests.firstAudio(request, ms)
  }

  nextTokens(request: CountedRequest, tokens: number, ms: number): void {
    this.#requests.nextTokens(request, tokens, ms)
    this.activity.nextTokens(tokens)
  }

  toolCall(request: CountedRequest): void {
    this.#requests.toolCall(request)
  }

  requestFinished(request: CountedRequest, outcome: CountedOutcome): void {
    this.#requests.requestFinished(request, outcome)
    this.activity.requestFinished(outcome)
  }

  requestRefused(request: CountedRequest): void {
    this.#requests.requestRefused(request)
    this.activity.requestRefused()
  }

  modelLoading(worker: CountedWorker): void {
    // How it ends is counted.
    this.activity.happened(worker, { type: "model-loading" })
  }

  modelLoaded(worker: CountedWorker, ms: number): void {
    this.#workers.modelLoaded(worker, ms)
    this.activity.happened(worker, { type: "model-loaded", ms })
  }

  modelLoadFailed(worker: CountedWorker, code: string): void {
    this.#workers.modelLoadFailed(worker)
    this.activity.happened(worker, { type: "model-load-failed", code })
  }

  modelUnloaded(worker: CountedWorker, reason: string): void {
    this.#workers.modelUnloaded(worker, reason)
    this.activity.happened(worker, { type: "model-unloaded", reason })
  }

  workerCrashed(worker: CountedWorker): void {
    this.#workers.workerCrashed(worker)
    this.activity.happened(worker, { type: "worker-crashed" })
  }

  step(worker: CountedWorker, usage: StepUsage): void {
    this.#workers.step(worker, usage)
    this.#llama.step(usage)
  }

  cacheGrown(worker: CountedWorker, times: number): void {
    this.#workers.cacheGrown(worker, times)
  }

  tokensDrafted(worker: CountedWorker, counts: DraftCounts): void {
    this.#workers.tokensDrafted(worker, counts)
    this.#llama.drafted(counts)
  }

  adaptersUsed(worker: CountedWorker, usage: AdapterUsage): void {
    this.#workers.adaptersUsed(worker, usage)
  }

  mediaEncoded(worker: CountedWorker, usage: MediaUsage): void {
    this.#workers.mediaEncoded(worker, usage)
  }

  promptsOnDisk(worker: CountedWorker, usage: DiskUsage): void {
    this.#workers.promptsOnDisk(worker, usage)
  }
}

function createHttpMetrics(registry: MetricRegistry) {
  return {
    requests: registry.counter(
      "http_requests_total",
      "Finished HTTP requests; status 499 if the client disconnected, the error's status if a stream was cut off.",
      ["route", "model", "status"],
    ),
    inFlight: registry.gauge("http_requests_in_flight", "HTTP requests in progress.", []),
    exchangeSeconds: registry.histogram(
      "http_request_duration_seconds",
      "From the request to the last byte of its response.",
      "route",
      WAITING,
    ),
  }
}
