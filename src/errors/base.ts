import { systemCode, systemPath, systemReason } from "../lib/system/system-reason"
import { shorten } from "../lib/text/shorten"
import { withoutPaths } from "../lib/text/without-paths"
import { SHOWN } from "../limits"

/** Fields of an {@link XllmError} that are optional. */
export interface XllmErrorOptions {
  /** The request field at fault, as the client spelled it. */
  readonly param?: string
  /** For 503: when the client may try again, in seconds. */
  readonly retryAfterSeconds?: number
  /** Extra facts for the error body, such as both numbers of a limit that was passed. */
  readonly details?: Readonly<Record<string, unknown>>
  /**
   * What clients of a server are told in place of the message, which the log and the local command line have; absent:
   * the message, of a fault of the server's without the folders in it.
   */
  readonly publicMessage?: string
  readonly cause?: unknown
}

/** An {@link XllmError} as plain data, for crossing from a worker to the server process. */
export interface WireError {
  readonly code: string
  readonly status: number
  readonly message: string
  readonly param?: string
  readonly retryAfterSeconds?: number
  readonly details?: Readonly<Record<string, unknown>>
  readonly publicMessage?: string
  /** Of a defect: where it came from, for the log alone. */
  readonly trace?: string
}

/**
 * Every failure that a user can see. `code` is stable and machine-readable, `status` is the HTTP status that fits
 * it. Only `http/plugins/errors.ts` and `cli/main.ts` turn one into output.
 */
export class XllmError extends Error {
  readonly code: string
  readonly status: number
  readonly param: string | undefined
  readonly retryAfterSeconds: number | undefined
  readonly details: Readonly<Record<string, unknown>> | undefined
  /** What clients of a server are told: neither where its files are nor what its workers have written. */
  readonly publicMessage: string

  constructor(code: string, status: number, message: string, options: XllmErrorOptions = {}) {
    // Whatever it repeats: it is sent, logged and shown on terminals.
    super(shorten(message, SHOWN.message), options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.status = status
    this.param = options.param
    this.retryAfterSeconds = options.retryAfterSeconds
    this.details = options.details
    this.publicMessage = options.publicMessage ?? (status >= 500 ? withoutPaths(message) : message)
  }

  /** Plain data that {@link fromWire} turns back into an error with the same meaning. */
  toWire(): WireError {
    const { code, status, message, param, retryAfterSeconds, details, publicMessage } = this
    const trace = traceOf(this)
    return {
      code,
      status,
      message,
      ...(publicMessage !== message && { publicMessage }),
      ...(param !== undefined && { param }),
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
      ...(details !== undefined && { details }),
      ...(trace !== undefined && { trace }),
    }
  }
}

/** The error that {@link XllmError.toWire} described. */
export function fromWire({ code, status, message, trace, ...options }: WireError): XllmError {
  const cause = trace === undefined ? undefined : Object.assign(new Error(message), { stack: trace })
  return new XllmError(code, status, message, { ...options, cause })
}

/**
 * `error` itself if it is ours; otherwise one that may be shown, with it as cause. What a library or the language threw
 * says nothing to a user, and may say what only the log should know: see {@link traceOf}.
 */
export function asXllmError(error: unknown): XllmError {
  if (error instanceof XllmError) return error
  return systemReason(error) === undefined
    ? new InternalError("internal error", error)
    : new SystemFailed(error)
}

/** Where a defect behind an error came from, for logs and reports; `undefined` for a failure that was foreseen. */
export function traceOf(error: unknown): string | undefined {
  let isInternal = false
  for (let one = error; one instanceof Error; one = one.cause) {
    if (one instanceof XllmError) isInternal = one.code === "internal_error"
    else if (isInternal || isDefect(one)) return one.stack ?? one.message
  }
  return undefined
}

/**
 * Why something failed, in words that follow "cannot read FILE: ": ours as they are, the system's translated, of a
 * library its first line without codes. What a library did not mean for anybody, such as a TypeError, tells nothing.
 */
export function reasonOf(error: unknown): string {
  if (error instanceof XllmError) return error.message
  const known = systemReason(error)
  if (known !== undefined) return known
  if (!(error instanceof Error)) return "unknown reason"
  if (isDefect(error)) return "an internal error"
  const [line = ""] = error.message.split("\n")
  const bare = line.replace(CODE, "").replace(CALL, "").replace(PARSER, "").trim()
  return bare === "" ? "unknown reason" : bare
}

/** {@link reasonOf} behind the path that it is about, where the system tells one. */
export function placeAndReason(error: unknown): string {
  const path = systemPath(error instanceof SystemFailed ? error.cause : error)
  const reason = reasonOf(error instanceof SystemFailed ? error.cause : error)
  return path === undefined ? reason : `${path}: ${reason}`
}

/** Is it what the runtime throws where a program is wrong? `fetch` has TypeErrors of its own, with codes. */
function isDefect(error: Error): boolean {
  return (
    DEFECTS.has(error.name) &&
    (systemCode(error) ?? "ERR_").startsWith("ERR_") &&
    systemReason(error) === undefined
  )
}

const DEFECTS = new Set([
  "TypeError",
  "ReferenceError",
  "RangeError",
  "URIError",
  "EvalError",
  "AssertionError",
])

/** `EBADF: ` and `TAR_BAD_ARCHIVE: ` before the words, and `, open '/path'` behind them. */
const CODE = /^([A-Za-z]*Error|E[A-Z0-9]+|[A-Z][A-Z0-9]*(_[A-Z0-9]+)+):\s+/

const CALL = /, [a-z]+( '[^']*'( -> '[^']*')?)?$/

const PARSER = /^(JSON|YAML) Parse error:\s+/

/** A name or a path that somebody has sent, as messages repeat it. */
export function named(text: string): string {
  return shorten(text, SHOWN.name)
}

/** A path as a message has it: any length may be asked for. */
export function shortened(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path
}

export function inGigabytes(bytes: number): string {
  const gigabytes = Math.max(0, bytes) / 1024 ** 3
  return gigabytes < 1 ? `${Math.round(gigabytes * 1024)} MiB` : `${gigabytes.toFixed(1)} GiB`
}

/** The system refused something that nobody foresaw. The message has no path: it may be one of the server's. */
export class SystemFailed extends XllmError {
  constructor(cause: unknown) {
    super("system_failed", 500, `the operating system reports: ${reasonOf(cause)}`, { cause })
  }
}

/** Something that should not happen; a defect of ours. With a `cause` the log has its trace. */
export class InternalError extends XllmError {
  constructor(message: string, cause?: unknown) {
    super("internal_error", 500, message, { cause })
  }
}
