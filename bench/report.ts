import type { Verdict } from "./goal"
import type { Metric } from "./load"
import type { Host } from "../src/measure/host"
import { valueOf, type Column, type LoadResult } from "./result"

export function formatMachine({ cpu, cores, ram, os, load }: Host): string {
  return `${cpu}, ${cores} cores, ${Math.round(ram / 2 ** 30)} GiB, ${os}; load average before the run ${load.toFixed(2)}`
}

/** All results as one Markdown table, which is also readable in a terminal. */
export function formatTable(results: readonly LoadResult[]): string {
  const labels = new Map(results.flatMap((result) => result.columns.map(({ role, label }) => [role, label])))
  const header = ["load", "metric", ...labels.values()]
  const rows = results.flatMap((result) =>
    result.metrics.map((metric, i) => [
      i === 0 ? result.title : "",
      metric.label,
      ...[...labels.keys()].map((role) => {
        const column = result.columns.find((candidate) => candidate.role === role)
        return column === undefined ? "" : formatCell(result, column, metric)
      }),
    ]),
  )
  return alignColumns([header, header.map(() => "---"), ...rows])
}

/** One line per goal with its target and the value reached. */
export function formatVerdicts(verdicts: readonly Verdict[], results: readonly LoadResult[]): string {
  const lines = verdicts.map(({ goal, reached, met }) => {
    const result = results.find((candidate) => candidate.name === goal.load)
    const metric = result?.metrics.find((candidate) => candidate.name === goal.metric)
    const absolute = goal.of === undefined && metric !== undefined
    const write = (value: number): string => (absolute ? formatValue(metric, value) : formatRatio(value))
    const peer = result?.columns.find((column) => column.role === goal.of)?.label
    const of = goal.of === undefined ? "" : ` ${peer ?? "the better llama-server"}`
    return [
      met ? "met" : "MISSED",
      goal.load,
      metric?.label ?? "",
      write(reached) + of,
      `${goal.bound} ${write(goal.value)}`,
    ]
  })
  if (lines.length === 0) return ""
  const header = ["goal", "load", "metric", "reached", "asked for"]
  return alignColumns([header, header.map(() => "---"), ...lines])
}

/** Why columns have no numbers, one line each. */
export function formatFailures(results: readonly LoadResult[]): string {
  return results
    .flatMap(({ name, columns }) =>
      columns.filter(hasFailed).map(({ label, failure }) => `failed: ${name} on ${label}: ${failure}`),
    )
    .join("\n")
}

export function hasFailed(column: Column): boolean {
  return column.failure !== undefined
}

/** A value, and in the peers' columns how ours compares with it. */
function formatCell(result: LoadResult, column: Column, metric: Metric): string {
  const value = column.median[metric.name]
  if (value === undefined) return hasFailed(column) ? "failed" : "–"
  const ours = valueOf(result, "ours", metric.name)
  const comparable = column.role !== "ours" && metric.unit !== "ratio" && ours !== undefined
  const ratio = comparable ? ` (ours ${formatRatio(ours / value)})` : ""
  return formatValue(metric, value) + ratio
}

function formatRatio(ratio: number): string {
  return `${ratio < 100 ? ratio.toPrecision(3) : ratio.toFixed(0)} ×`
}

function formatValue(metric: Metric, value: number): string {
  switch (metric.unit) {
    case "tokens/s":
      return value.toFixed(1)
    case "ratio":
      return value.toFixed(3)
    case "MB":
      return `${value.toFixed(0)} MB`
    case "ms":
      return value < 1000 ? `${value.toFixed(0)} ms` : `${(value / 1000).toFixed(2)} s`
    default:
      return metric.unit satisfies never
  }
}

function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => Bun.stringWidth(row[i] ?? "")))) ?? []
  const pad = (cell: string, i: number): string => cell + " ".repeat((widths[i] ?? 0) - Bun.stringWidth(cell))
  return rows.map((row) => `| ${row.map(pad).join(" | ")} |`).join("\n")
}
