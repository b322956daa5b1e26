import { oneOf, text } from "../../config/values"
import { barsOf, formatReport, REPORT_FORMATS, type ReportFormat } from "../../measure/format"
import type { BenchReport } from "../../measure/report"
import type { FlagTable } from "../args/flags"
import type { Io } from "../terminal/io"
import { fileOutput } from "../terminal/output-file"

/** How a report is printed. */
export const outputFlags = {
  format: {
    value: oneOf(...REPORT_FORMATS),
    description: "table (default), md, csv, json (one xllm.bench/1 object), or jsonl (one line a test)",
  },
  html: { value: text("FILE"), description: "also write a page with charts, which needs no network" },
} satisfies FlagTable

export interface OutputOptions {
  readonly format?: ReportFormat
  readonly html?: string
}

/** A run may take an hour: before it, checks that its page can be written. @throws FileFailed */
export async function checkOutputFile({ html }: OutputOptions): Promise<void> {
  if (html === undefined) return
  await using _unused = await fileOutput(html)
}

export async function printReport(
  report: BenchReport,
  { format = "table", html }: OutputOptions,
  io: Io,
): Promise<void> {
  io.write(formatReport(report, format))
  if (format === "table" && io.stdoutIsTerminal) io.write(barsOf(report))
  if (html === undefined) return
  const { htmlReport } = await import("../../measure/page/html")
  await using output = await fileOutput(html)
  await output.write(new TextEncoder().encode(htmlReport(report)))
  await output.finish()
}
