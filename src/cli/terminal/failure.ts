import { appendFileSync, mkdirSync, statSync, truncateSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import type { Environment } from "../../config/environment"
import { findPaths } from "../../config/paths"
import { asXllmError, placeAndReason, SystemFailed, traceOf } from "../../errors/base"
import { version } from "../../version"
import { terminalSafe } from "./output"

/** The file with error reports is started anew at this size. */
const MAX_REPORT_BYTES = 1024 ** 2

/**
 * The message for a failed command, without the leading "Error: ". For an internal error it names the file to which
 * this function writes the stack trace.
 */
export function failureText(error: unknown, environment: Environment): string {
  const known = asXllmError(error)
  const trace = traceOf(known)
  const text = known instanceof SystemFailed ? placeAndReason(known) : known.message
  return terminalSafe(trace === undefined ? text : `${text}; ${keepTrace(trace, environment)}`)
}

function keepTrace(trace: string, environment: Environment): string {
  const entry = `${new Date().toISOString()} xllm ${version} ${process.platform}-${process.arch}\n${trace}\n\n`
  const places = [findPaths(environment).errors, join(tmpdir(), "xllm-errors.log")]
  const kept = places.find((path) => append(path, entry))
  if (kept === undefined) return `its details could not be written to ${places.join(" or ")}`
  return `its details are in ${kept}; please report it with them`
}

/** Returns false if the file cannot be written. */
function append(path: string, entry: string): boolean {
  try {
    mkdirSync(dirname(path), { recursive: true })
    const { size = 0 } = statSync(path, { throwIfNoEntry: false }) ?? {}
    if (size > MAX_REPORT_BYTES) truncateSync(path)
    appendFileSync(path, entry, { mode: 0o600 })
    return true
  } catch {
    return false
  }
}
