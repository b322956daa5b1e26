import { processUsage } from "../lib/system/process-usage"
import type { MetricRegistry } from "./registry"

/** The server process, read at every scrape. */
export class ProcessMetrics {
  readonly #metrics: ReturnType<typeof createProcessMetrics>

  constructor(
    registry: MetricRegistry,
    { version, startedAt }: { readonly version: string; readonly startedAt: Date },
  ) {
    this.#metrics = createProcessMetrics(registry)
    registry.gauge("build_info", "1; the version is in the label.", ["version"]).set({ version }, 1)
    registry
      .gauge("process_start_time_seconds", "Start of the server process, in Unix time.", [])
      .set(startedAt.getTime() / 1000)
  }

  measure(): void {
    const { cpuSeconds, residentBytes, heapBytes, openFiles } = processUsage()
    this.#metrics.cpuSeconds.reset()
    this.#metrics.cpuSeconds.inc(cpuSeconds)
    this.#metrics.resident.set(residentBytes)
    this.#metrics.heap.set(heapBytes)
    if (openFiles !== undefined) this.#metrics.openFiles.set(openFiles)
  }
}

function createProcessMetrics(registry: MetricRegistry) {
  return {
    cpuSeconds: registry.counter(
      "process_cpu_seconds_total",
      "CPU time of the server process, without its workers.",
      [],
    ),
    resident: registry.gauge("process_resident_memory_bytes", "Resident memory of the server process.", []),
    heap: registry.gauge("process_heap_bytes", "JavaScript heap of the server process.", []),
    openFiles: registry.gauge("process_open_fds", "Open file descriptors of the server process.", []),
  }
}
