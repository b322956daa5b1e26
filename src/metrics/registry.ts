import Counter from "prom-client/lib/counter"
import Gauge from "prom-client/lib/gauge"
import Histogram from "prom-client/lib/histogram"
import Registry from "prom-client/lib/registry"
import { BulkHistogram } from "../lib/bulk-histogram"

const PREFIX = "xllm_"

/** Of metrics that have the names and meanings of llama-server's. */
const LLAMA_PREFIX = "llamacpp:"

/** Bounds in seconds: waiting and whole answers take from nothing at all to many minutes. */
export const WAITING = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]

/** Creates the metrics, and writes them all. */
export class MetricRegistry {
  readonly #registry = new Registry()

  get contentType(): string {
    return this.#registry.contentType
  }

  /** The current values in Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }

  counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({
      name: PREFIX + name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
    })
  }

  gauge<L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> {
    return new Gauge({ name: PREFIX + name, help, labelNames: [...labelNames], registers: [this.#registry] })
  }

  llamaCounter(name: string, help: string): Counter {
    return new Counter({ name: LLAMA_PREFIX + name, help, registers: [this.#registry] })
  }

  llamaGauge(name: string, help: string): Gauge {
    return new Gauge({ name: LLAMA_PREFIX + name, help, registers: [this.#registry] })
  }

  histogram<L extends string>(name: string, help: string, label: L, buckets: number[]): Histogram<L> {
    return new Histogram({
      name: PREFIX + name,
      help,
      labelNames: [label],
      buckets,
      registers: [this.#registry],
    })
  }

  bulk(name: string, help: string, buckets: number[]): BulkHistogram {
    return new BulkHistogram({ name: PREFIX + name, help, buckets, registers: [this.#registry] })
  }
}
