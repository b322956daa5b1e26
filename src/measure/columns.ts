import type { BenchReport, BenchTest } from "./report"

/** A column of the table of tests: as people know them from llama-bench, and what they miss there. */
export interface Column {
  readonly name: string
  /** For people. */
  readonly shown: (row: Row) => string
  /** For programs; absent: as shown. */
  readonly raw?: (row: Row) => string | number
}

export interface Row {
  readonly test: BenchTest
  readonly report: BenchReport
}

const loaded = (name: string, key: keyof NonNullable<BenchTest["loaded_with"]>): Column => ({
  name,
  shown: ({ test }) => String(test.loaded_with?.[key] ?? ""),
})

/** Those that are shown only where the rows differ in them. */
const VARYING: readonly Column[] = [
  loaded("ngl", "gpu_layers"),
  loaded("n_batch", "batch"),
  loaded("n_ubatch", "ubatch"),
  loaded("type_k", "cache_type_k"),
  loaded("type_v", "cache_type_v"),
  loaded("fa", "flash_attention"),
]

const FIRST: readonly Column[] = [
  { name: "model", shown: ({ test }) => test.model },
  {
    name: "size",
    shown: (row) => modelOf(row, ({ size }) => inGib(size)),
    raw: (row) => modelOf(row, ({ size }) => String(size)),
  },
  {
    name: "params",
    shown: (row) => modelOf(row, ({ parameters }) => inMillions(parameters)),
    raw: (row) => modelOf(row, ({ parameters }) => String(parameters ?? "")),
  },
  loaded("backend", "backend"),
  loaded("threads", "threads"),
]

const RESULTS: readonly Column[] = [
  { name: "test", shown: ({ test }) => test.name },
  { name: "via", shown: ({ test }) => test.via },
  {
    name: "median ± MAD",
    shown: ({ test }) => `${rounded(test.median)} ± ${rounded(test.mad)} ${test.unit}`,
    raw: ({ test }) => test.median,
  },
  { name: "min..max", shown: ({ test }) => `${rounded(test.min)}..${rounded(test.max)}` },
]

const SERVED: readonly Column[] = [
  {
    name: "per stream",
    shown: ({ test }) => (test.per_stream === undefined ? "" : rounded(test.per_stream)),
  },
  { name: "TTFT p50/p99 ms", shown: ({ test }) => pair(test.first_token_ms) },
  { name: "ITL p50/p99 ms", shown: ({ test }) => pair(test.between_tokens_ms) },
]

const GOODPUT: Column = {
  name: "goodput",
  shown: ({ test: { goodput } }) =>
    goodput === undefined
      ? ""
      : `${rounded(goodput.per_second)}/s (${Math.round(100 * goodput.share)} % within ${goodput.limit_ms} ms)`,
}

const STATE: Column = {
  name: "state",
  shown: ({ test: { unstable = [], notes = [] } }) =>
    [...unstable.map((reason) => `unstable: ${reason}`), ...notes].join("; "),
}

/** The columns that a report needs. */
export function columnsFor(report: BenchReport): readonly Column[] {
  const rows = rowsOf(report)
  const says = (column: Column) => rows.some((row) => column.shown(row) !== "")
  const varies = (column: Column) => new Set(rows.map((row) => column.shown(row))).size > 1
  return [
    ...FIRST.filter(says),
    ...VARYING.filter(varies),
    ...RESULTS,
    ...SERVED.filter(says),
    ...[GOODPUT, STATE].filter(says),
  ]
}

export function rowsOf(report: BenchReport): readonly Row[] {
  return report.tests.map((test) => ({ test, report }))
}

/** Three digits, all of them before the point for large values: `0.123`, `45.6`, `789`, `1234`. */
export function rounded(value: number): string {
  if (!Number.isFinite(value)) return "-"
  const size = Math.abs(value)
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3
  return value.toFixed(digits)
}

export function inGib(bytes: number): string {
  const gib = bytes / 2 ** 30
  return gib >= 1 ? `${gib.toFixed(2)} GiB` : `${(bytes / 2 ** 20).toFixed(2)} MiB`
}

function inMillions(parameters: number | null): string {
  if (parameters === null) return ""
  return parameters >= 1e9 ? `${(parameters / 1e9).toFixed(2)} B` : `${(parameters / 1e6).toFixed(2)} M`
}

function modelOf({ test, report }: Row, read: (model: BenchReport["models"][number]) => string): string {
  const model = report.models.find(({ name }) => name === test.model)
  return model === undefined ? "" : read(model)
}

function pair(percentiles: BenchTest["first_token_ms"]): string {
  return percentiles === undefined ? "" : `${rounded(percentiles.p50)} / ${rounded(percentiles.p99)}`
}
