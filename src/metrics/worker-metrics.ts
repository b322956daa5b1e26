import {
  type AdapterUsage,
  DRAFT_PLACES,
  type DiskUsage,
  type DraftCounts,
  type MediaUsage,
  type StepUsage,
} from "../domain/loaded-model"
import { type MetricRegistry, WAITING } from "./registry"

/** A worker process: the n-th replica of a model. */
export interface CountedWorker {
  readonly model: string
  readonly replica: number
}

const SEQUENCES = [1, 2, 4, 8, 16, 32, 64, 128, 256]

/** Worker processes: loads, ends and decode steps. The methods are those of the engine's `EngineObserver`. */
export class WorkerMetrics {
  readonly #metrics: ReturnType<typeof createWorkerMetrics>
  /** By model and replica: what the newest step used. */
  readonly #kvCellsUsed = new Map<string, CountedWorker & { readonly cells: number }>()

  constructor(registry: MetricRegistry) {
    this.#metrics = createWorkerMetrics(registry)
  }

  /** The cells in use after the newest step of each worker. */
  get kvCellsUsed(): Iterable<CountedWorker & { readonly cells: number }> {
    return this.#kvCellsUsed.values()
  }

  modelLoaded({ model }: CountedWorker, ms: number): void {
    this.#metrics.loads.inc({ model, result: "loaded" })
    this.#metrics.loadSeconds.observe({ model }, ms / 1000)
  }

  modelLoadFailed({ model }: CountedWorker): void {
    this.#metrics.loads.inc({ model, result: "failed" })
  }

  modelUnloaded(worker: CountedWorker, reason: string): void {
    const { model } = worker
    this.#kvCellsUsed.delete(keyOf(worker))
    this.#metrics.unloads.inc({ model, reason })
    if (reason === "memory") this.#metrics.evictions.inc({ model })
  }

  workerCrashed(worker: CountedWorker): void {
    this.#kvCellsUsed.delete(keyOf(worker))
    this.#metrics.crashes.inc({ model: worker.model })
  }

  step(worker: CountedWorker, usage: StepUsage): void {
    this.#metrics.batchSequences.add(worker.model, usage.sequences)
    this.#kvCellsUsed.set(keyOf(worker), { ...worker, cells: usage.kvCellsUsed })
  }

  cacheGrown({ model }: CountedWorker, times: number): void {
    this.#metrics.kvGrowths.inc({ model }, times)
  }

  tokensDrafted({ model }: CountedWorker, { checked, accepted }: DraftCounts): void {
    for (const [index, last] of DRAFT_PLACES.entries()) {
      const labels = { model, place: placesUpTo(index, last) }
      this.#metrics.draftTokens.inc(labels, checked[index] ?? 0)
      this.#metrics.draftTokensAccepted.inc(labels, accepted[index] ?? 0)
    }
  }

  adaptersUsed({ model }: CountedWorker, { adapterSwitches, adapterLoads }: AdapterUsage): void {
    this.#metrics.adapterSwitches.inc({ model }, adapterSwitches)
    this.#metrics.adapterLoads.inc({ model }, adapterLoads)
  }

  mediaEncoded({ model }: CountedWorker, { mediaEncoded, mediaEncodeMs }: MediaUsage): void {
    this.#metrics.mediaEncoded.inc({ model }, mediaEncoded)
    this.#metrics.mediaEncodeSeconds.inc({ model }, mediaEncodeMs / 1000)
  }

  promptsOnDisk({ model }: CountedWorker, usage: DiskUsage): void {
    this.#metrics.savedPrompts.inc({ model, result: "hit" }, usage.hits)
    this.#metrics.savedPrompts.inc({ model, result: "miss" }, usage.misses)
    this.#metrics.savedPromptBytes.inc({ model, direction: "read" }, usage.bytesRead)
    this.#metrics.savedPromptBytes.inc({ model, direction: "written" }, usage.bytesWritten)
    this.#metrics.savedPromptSeconds.inc({ model }, usage.savedMs / 1000)
  }
}

function createWorkerMetrics(registry: MetricRegistry) {
  return {
    savedPrompts: registry.counter(
      "saved_prompts_total",
      "Prompts that continued one on disk (hit), or were neither there nor in memory (miss).",
      ["model", "result"],
    ),
    savedPromptBytes: registry.counter(
      "saved_prompt_bytes_total",
      "Bytes of prompts read from disk and written to it.",
      ["model", "direction"],
    ),
    savedPromptSeconds: registry.counter(
      "saved_prompt_seconds_total",
      "How much longer evaluating the prompts that were read from disk would have taken.",
      ["model"],
    ),
    draftTokens: registry.counter(
      "draft_tokens_total",
      "Guessed tokens that were checked several at a time, by their places in the drafts.",
      ["model", "place"],
    ),
    draftTokensAccepted: registry.counter(
      "draft_tokens_accepted_total",
      "Those of them that were right: each saved its answer a step.",
      ["model", "place"],
    ),
    kvGrowths: registry.counter("kv_growths_total", "How often a KV cache was made larger.", ["model"]),
    adapterSwitches: registry.counter(
      "adapter_switches_total",
      "How often a decode step had other adapters than the one before.",
      ["model"],
    ),
    adapterLoads: registry.counter(
      "adapter_loads_total",
      "Adapters that requests named and that were not in memory.",
      ["model"],
    ),
    mediaEncoded: registry.counter("media_encoded_total", "Pictures and sounds that were encoded.", [
      "model",
    ]),
    mediaEncodeSeconds: registry.counter(
      "media_encode_seconds_total",
      "Time that encoding pictures and sounds took.",
      ["model"],
    ),
    batchSequences: registry.bulk("batch_sequences", "Sequences per decode step.", SEQUENCES),
    loads: registry.counter("model_loads_total", "Attempts to load a model, by result.", ["model", "result"]),
    loadSeconds: registry.histogram(
      "model_load_seconds",
      "From the start of a worker until it is ready.",
      "model",
      WAITING,
    ),
    unloads: registry.counter("model_unloads_total", "Workers unloaded on purpose, by reason.", [
      "model",
      "reason",
    ]),
    evictions: registry.counter(
      "model_evictions_total",
      "Workers unloaded to free memory for another model.",
      ["model"],
    ),
    crashes: registry.counter(
      "worker_crashes_total",
      "Workers that crashed, or were killed because they hung.",
      ["model"],
    ),
  }
}

function keyOf({ model, replica }: CountedWorker): string {
  return `${replica} ${model}`
}

function placesUpTo(index: number, last: number): string {
  const first = (DRAFT_PLACES[index - 1] ?? 0) + 1
  return first === last ? String(last) : `${first}-${last}`
}
