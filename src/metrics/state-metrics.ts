import type { LoadedModel } from "../domain/loaded-model"
import type { MetricRegistry } from "./registry"
import type { CountedWorker } from "./worker-metrics"

interface MeasuredMemory {
  readonly totalBytes: number
  readonly freeBytes: number
}

/** The state that the gauges show, from the engine. */
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

/** The name of memory that belongs to no GPU. */
const SYSTEM = "system"

/** Gauges of the engine's state, read at every scrape. */
export class StateMetrics {
  readonly #metrics: ReturnType<typeof createStateMetrics>

  constructor(registry: MetricRegistry) {
    this.#metrics = createStateMetrics(registry)
  }

  measure(state: MeasuredState, kvCellsUsed: Iterable<CountedWorker & { readonly cells: number }>): void {
    for (const gauge of Object.values(this.#metrics)) gauge.reset()
    for (const { model, running, waiting } of state.queue.models) {
      this.#metrics.running.set({ model }, running)
      this.#metrics.waiting.set({ model }, waiting)
    }
    for (const model of state.models) this.#measureModel(model)
    for (const { model, replica, cells } of kvCellsUsed) this.#metrics.kvUsed.set({ model, replica }, cells)
    this.#measureMemory(SYSTEM, state.memory.system)
    for (const gpu of state.memory.gpus) this.#measureMemory(gpu.name, gpu)
  }

  #measureModel({ name: model, replica = 1, state, info, footprint = info?.footprint }: LoadedModel): void {
    this.#metrics.workers.inc({ model, state })
    if (info?.kind === "text") {
      this.#metrics.kvCells.set({ model, replica }, info.kvCells)
      this.#metrics.kvMostCells.set({ model, replica }, info.kvMostCells)
    }
    if (footprint === undefined) return
    this.#metrics.modelMemory.set({ model, replica, device: SYSTEM }, footprint.ramBytes)
    for (const { name: device, bytes } of footprint.devices)
      this.#metrics.modelMemory.set({ model, replica, device }, bytes)
  }

  #measureMemory(device: string, { totalBytes, freeBytes }: MeasuredMemory): void {
    this.#metrics.memoryTotal.set({ device }, totalBytes)
    this.#metrics.memoryUsed.set({ device }, Math.max(0, totalBytes - freeBytes))
  }
}

function createStateMetrics(registry: MetricRegistry) {
  return {
    running: registry.gauge("requests_running", "Requests that have a slot.", ["model"]),
    waiting: registry.gauge("requests_waiting", "Requests in the queue.", ["model"]),
    workers: registry.gauge("model_workers", "Worker processes by state.", ["model", "state"]),
    kvCells: registry.gauge("kv_cells", "Capacity of the KV cache in tokens.", ["model", "replica"]),
    kvMostCells: registry.gauge("kv_most_cells", "Capacity that the KV cache may grow to, in tokens.", [
      "model",
      "replica",
    ]),
    kvUsed: registry.gauge("kv_cells_used", "Tokens in the KV cache, including cached prefixes.", [
      "model",
      "replica",
    ]),
    modelMemory: registry.gauge("model_memory_bytes", "Memory of a loaded model, by device.", [
      "model",
      "replica",
      "device",
    ]),
    memoryTotal: registry.gauge("memory_total_bytes", "Memory of a device.", ["device"]),
    memoryUsed: registry.gauge("memory_used_bytes", "Memory of a device that is in use or reserved.", [
      "device",
    ]),
  }
}
