import { oneOf } from "../../config/values"
import { formatReport, REPORT_FORMATS, type ReportFormat } from "../../measure/format"
import type { BenchReport } from "../../measure/report"
import type { FlagTable } from "../args/flags"
import type { Io } from "../terminal/io"

/** How a report is printed. */
export const outputFlags = {
  format: {
    value: oneOf(...REPORT_FORMATS),
    description: "table (default), md, csv, json (one xllm.bench/1 object), or jsonl (one line a test)",
  },
} satisfies FlagTable

export interface OutputOptions {
  readonly format?: ReportFormat
}

export async function printReport(
  report: BenchReport,
  { format = "table" }: OutputOptions,
  io: Io,
): Promise<void> {
  io.write(formatReport(report, format))
}
