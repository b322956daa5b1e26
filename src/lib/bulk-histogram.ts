import type { HistogramConfiguration, MetricObjectWithValues, MetricValueWithName } from "prom-client"
import Histogram from "prom-client/lib/histogram"

type Point = MetricValueWithName<"model" | "le">

/** Observations of one model: the count in each bucket, and beyond the last. */
interface Tally {
  readonly counts: number[]
  sum: number
  count: number
}

/**
 * A histogram by model for events of every token: an observation costs a few additions, where prom-client's own
 * checks its labels each time, and one call counts several equal ones.
 */
export class BulkHistogram extends Histogram<"model"> {
  readonly #name: string
  readonly #help: string
  readonly #bounds: readonly number[]
  readonly #tallies = new Map<string, Tally>()

  constructor(options: HistogramConfiguration<"model"> & { readonly buckets: number[] }) {
    super({ ...options, labelNames: ["model"] })
    this.#name = options.name
    this.#help = options.help
    this.#bounds = options.buckets
  }

  /** Adds `times` observations of `value`. */
  add(model: string, value: number, times = 1): void {
    const tally = this.#tallies.get(model) ?? this.#begin(model)
    const bounds = this.#bounds
    let bucket = 0
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket++
    tally.counts[bucket] = (tally.counts[bucket] ?? 0) + times
    tally.sum += value * times
    tally.count += times
  }

  override async get(): Promise<MetricObjectWithValues<Point>> {
    const values = [...this.#tallies].flatMap(([model, tally]) => this.#points(model, tally))
    // The type declares a number, but prom-client and its registry use the word.
    const type = "histogram" as unknown as MetricObjectWithValues<Point>["type"]
    return { name: this.#name, help: this.#help, type, aggregator: "sum", collect() {}, values }
  }

  /** prom-client's registry prefers this method to {@link get}. */
  getForPromString(): Promise<MetricObjectWithValues<Point>> {
    return this.get()
  }

  #begin(model: string): Tally {
    const tally = { counts: Array.from({ length: this.#bounds.length + 1 }, () => 0), sum: 0, count: 0 }
    this.#tallies.set(model, tally)
    return tally
  }

  #points(model: string, { counts, sum, count }: Tally): Point[] {
    let below = 0
    const buckets = [...this.#bounds, "+Inf"].map((le, index) => {
      below += counts[index] ?? 0
      return { metricName: `${this.#name}_bucket`, labels: { model, le }, value: below }
    })
    return [
      ...buckets,
      { metricName: `${this.#name}_sum`, labels: { model }, value: sum },
      { metricName: `${this.#name}_count`, labels: { model }, value: count },
    ]
  }
}
