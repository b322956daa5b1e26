import { type Column, columnsFor, inGib, rounded, rowsOf } from "./columns"
import { bar, factsText } from "./facts-text"
import type { BenchReport } from "./report"
import { comparedModels } from "./summary"

export const REPORT_FORMATS = ["table", "md", "csv", "json", "jsonl"] as const

export type ReportFormat = (typeof REPORT_FORMATS)[number]

/** A report as text, with a line break at its end. */
export function formatReport(report: BenchReport, format: ReportFormat): string {
  switch (format) {
    case "table":
      return withoutControls(`${aligned(cellsOf(report))}${comparison(report, aligned)}${remarks(report)}`)
    case "md":
      return withoutControls(`${markdown(cellsOf(report))}${comparison(report, markdown)}${remarks(report)}`)
    case "csv":
      return csv(report)
    case "json":
      return `${JSON.stringify(report, null, 2)}\n`
    case "jsonl":
      return jsonLines(report)
    default:
      return format satisfies never
  }
}

function cellsOf(report: BenchReport): readonly (readonly string[])[] {
  const columns = columnsFor(report)
  if (report.tests.length === 0) return []
  return [
    columns.map(({ name }) => name),
    ...rowsOf(report).map((row) => columns.map((column) => column.shown(row))),
  ]
}

/** What is not in the table of tests: memory, the machine, and what went wrong. One line each. */
function remarks(report: BenchReport): string {
  const { host, engine } = report
  const gpus = host.gpus.map(({ name, memory }) => `, ${name} (${inGib(memory)})`).join("")
  const lines = [
    ...report.memory.map(memoryLine),
    `${host.cpu}, ${host.cores} cores, ${inGib(host.ram)}${gpus}, ${host.os}; load ${host.load}`,
    `xLLM ${engine.xllm}, llama.cpp ${engine.llama_cpp}`,
    ...report.warnings.map((warning) => `warning: ${warning}`),
    ...report.failures.map(({ model, error }) => `failed: ${model}: ${error}`),
    ...(report.interrupted ? ["interrupted: what was measured until then"] : []),
  ]
  return `\n${lines.map((line) => `${line}\n`).join("")}`
}

function memoryLine({ model, load_seconds, peak_ram, vram }: BenchReport["memory"][number]): string {
  const facts = [
    load_seconds === undefined ? [] : [`loaded in ${rounded(load_seconds)} s`],
    peak_ram === undefined ? [] : [`RAM at most ${inGib(peak_ram)}`],
    vram === undefined || vram === 0 ? [] : [`VRAM ${inGib(vram)}`],
  ]
  return `${model}: ${facts.flat().join(", ")}`
}

/** What compares models: their differences in speed, their quality, a summary, and their answers. */
function comparison(report: BenchReport, layOut: (rows: readonly (readonly string[])[]) => string): string {
  const lines = comparisonLines(report)
  const isCompared = report.models.length > 1 && (report.compare ?? report.quality) !== undefined
  const parts = [
    ...(lines.length === 0 ? [] : [lines.map((line) => `${line}\n`).join("")]),
    ...(isCompared && report.tests.length + (report.quality ?? []).length > 0
      ? [layOut(summaryCells(report))]
      : []),
    ...(report.answers ?? []).map(
      ({ prompt, answers }) =>
        `> ${prompt}\n${answers.map(({ model, text }) => `${model}: ${text.trim()}\n`).join("")}`,
    ),
  ]
  if (report.profile !== undefined) parts.push(factsText(report.profile))
  return parts.map((part) => `\n${part}`).join("")
}

function summaryCells(report: BenchReport): readonly (readonly string[])[] {
  const cell = (value: number | undefined, show: (value: number) => string) =>
    value === undefined ? "-" : show(value)
  return [
    ["model", "size", "RAM", "reading t/s", "generating t/s", "bits per byte", "not worse in all"],
    ...comparedModels(report).map(
      ({ model, size, peakRam, reading, generating, bitsPerByte, dominatedBy }) => [
        model,
        inGib(size),
        cell(peakRam, inGib),
        cell(reading, rounded),
        cell(generating, rounded),
        cell(bitsPerByte, (value) => value.toFixed(4)),
        dominatedBy.length === 0 ? "yes" : `no: ${dominatedBy.join(", ")}`,
      ],
    ),
  ]
}

function comparisonLines({ compare = [], quality = [] }: BenchReport): readonly string[] {
  return [
    ...compare.map(
      ({ metric, base, other, ratio, ci: [low, high], p, n, verdict }) =>
        `${metric}: ${other} against ${base}: ${change(ratio)} [${change(low)} .. ${change(high)}], p ${p.toFixed(3)}, ` +
        `${n} pairs: ${verdict}`,
    ),
    ...quality.map(
      ({ model, perplexity, perplexity_error, bits_per_byte, tokens, text, divergence }) =>
        `${model}: perplexity ${perplexity.toFixed(4)} ± ${perplexity_error.toFixed(4)}, ` +
        `${bits_per_byte.toFixed(4)} bits per byte (${tokens} tokens of ${text})` +
        (divergence === undefined
          ? ""
          : `; KL divergence ${divergence.mean.toFixed(6)} ± ${divergence.error.toFixed(6)}, 99 %: ` +
            `${divergence.p99.toFixed(6)}; same top token ${(100 * divergence.same_top).toFixed(2)} %`),
    ),
  ]
}

function change(ratio: number): string {
  const percent = 100 * (ratio - 1)
  return `${percent >= 0 ? "+" : ""}${percent.toFixed(1)} %`
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = columnWidths(rows)
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => padded(cell, widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("")
}

function markdown([heading = [], ...rows]: readonly (readonly string[])[]): string {
  if (heading.length === 0) return ""
  const safe = (row: readonly string[]) => row.map((cell) => cell.replaceAll("|", "\\|"))
  const all = [heading, ...rows].map(safe)
  const widths = columnWidths(all)
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => padded(cell, widths[column] ?? 0)).join(" | ")} |\n`
  const rule = `| ${widths.map((width) => "-".repeat(Math.max(3, width))).join(" | ")} |\n`
  return [line(all[0] ?? []), rule, ...all.slice(1).map(line)].join("")
}

function columnWidths(rows: readonly (readonly string[])[]): readonly number[] {
  return (rows[0] ?? []).map((_, column) =>
    Math.max(3, ...rows.map((row) => Bun.stringWidth(row[column] ?? ""))),
  )
}

function padded(cell: string, width: number): string {
  return cell + " ".repeat(Math.max(0, width - Bun.stringWidth(cell)))
}

/** Names of models come from files: nothing in them may move a terminal's cursor. */
function withoutControls(text: string): string {
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, "\ufffd")
}

/** The columns of CSV do not depend on what was measured, so that files of several runs fit together. */
const CSV_COLUMNS: readonly Column[] = [
  ...(["model", "name", "via", "prompt", "generated", "depth", "concurrency", "unit"] as const).map(
    (key): Column => ({ name: key, shown: ({ test }) => String(test[key]) }),
  ),
  ...(
    [
      "backend",
      "threads",
      "gpu_layers",
      "batch",
      "ubatch",
      "flash_attention",
      "cache_type_k",
      "cache_type_v",
    ] as const
  ).map((key): Column => ({ name: key, shown: ({ test }) => String(test.loaded_with?.[key] ?? "") })),
  ...(["median", "mad", "min", "max"] as const).map((key): Column => ({
    name: key,
    shown: ({ test }) => String(test[key]),
  })),
  { name: "samples", shown: ({ test }) => test.samples.join(" ") },
  { name: "rate", shown: ({ test }) => String(test.rate ?? "") },
  { name: "per_stream", shown: ({ test }) => String(test.per_stream ?? "") },
  { name: "ttft_p50_ms", shown: ({ test }) => String(test.first_token_ms?.p50 ?? "") },
  { name: "ttft_p99_ms", shown: ({ test }) => String(test.first_token_ms?.p99 ?? "") },
  { name: "itl_p50_ms", shown: ({ test }) => String(test.between_tokens_ms?.p50 ?? "") },
  { name: "itl_p99_ms", shown: ({ test }) => String(test.between_tokens_ms?.p99 ?? "") },
  { name: "goodput_per_second", shown: ({ test }) => String(test.goodput?.per_second ?? "") },
  { name: "unstable", shown: ({ test }) => (test.unstable ?? []).join("; ") },
  { name: "notes", shown: ({ test }) => (test.notes ?? []).join("; ") },
]

function csv(report: BenchReport): string {
  const line = (cells: readonly string[]) => `${cells.map(quoted).join(",")}\n`
  return [
    line(CSV_COLUMNS.map(({ name }) => name)),
    ...rowsOf(report).map((row) => line(CSV_COLUMNS.map(({ shown }) => shown(row)))),
  ].join("")
}

/** As RFC 4180 has it; a text that a spreadsheet would take for a formula begins with an apostrophe. */
function quoted(cell: string): string {
  const plain = /^[=+@\t\r]|^-(?![\d.])/.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain
}

/** One line for each test, which has everything that it needs to be understood. */
function jsonLines(report: BenchReport): string {
  const { schema, created, host, engine, models, parameters } = report
  return report.tests
    .map((test) => {
      const model = models.find(({ name }) => name === test.model) ?? { name: test.model }
      return `${JSON.stringify({ schema, created, host, engine, parameters, ...test, model })}\n`
    })
    .join("")
}

/** A small chart for a terminal: the medians, where there are several of one unit. */
export function barsOf({ tests, models }: BenchReport): string {
  const charts = [...Map.groupBy(tests, ({ unit }) => unit)]
    .filter(([, rows]) => rows.length > 1)
    .map(([unit, rows]) => {
      const most = Math.max(...rows.map(({ median }) => median))
      const labels = rows.map(({ name, model }) => (models.length > 1 ? `${name} ${model}` : name))
      const width = Math.max(...labels.map((label) => Bun.stringWidth(label)))
      const lines = rows.map(
        ({ median }, index) =>
          `${padded(labels[index] ?? "", width)}  ${bar(median / most)} ${rounded(median)} ${unit}\n`,
      )
      return `\n${lines.join("")}`
    })
  return withoutControls(charts.join(""))
}
