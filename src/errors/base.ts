import { systemCode, systemPath, systemReason } from "../lib/system/system-reason"
import { shorten } from "../lib/text/shorten"
import { withoutPaths } from "../lib/text/without-paths"
import { SHOWN } from "../limits"

/** Optional fields of an {@link XllmError}. */
export interface XllmErrorOptions {
  /** The request field at fault, as the client spelled it. */
  readonly param?: string
  /** For 503: when the client may retry, in seconds. */
  readonly retryAfterSeconds?: number
  /** Additional facts for the error body, such as the limit and the value that exceeded it. */
  readonly details?: Readonly<Record<string, unknown>>
  /**
   * Sent to clients of a server in place of the message, which goes to the log and the local command line; absent:
   * the message, without folders where the fault is the server's.
   */
  readonly publicMessage?: string
  readonly cause?: unknown
}

/** An {@link XllmError} as plain data, for sending it from a worker to the server process. */
export interface WireError {
  readonly code: string
  readonly status: number
  readonly message: string
  readonly param?: string
  readonly retryAfterSeconds?: number
  readonly details?: Readonly<Record<string, unknown>>
  readonly publicMessage?: string
  /** For a defect: its stack trace, for the log only. */
  readonly trace?: string
}

/**
 * Every failure that a user can see. `code` is stable and machine-readable, `status` the matching HTTP status. Only
 * `http/plugins/errors.ts` and `cli/main.ts` turn errors into output.
 */
export class XllmError extends Error {
  readonly code: string
  readonly status: number
  readonly param: string | undefined
  readonly retryAfterSeconds: number | undefined
  readonly details: Readonly<Record<string, unknown>> | undefined
  /** The message for clients of a server, without its paths or its workers' output. */
  readonly publicMessage: string

  constructor(code: string, status: number, message: string, options: XllmErrorOptions = {}) {
    // Shortened, as it may repeat input, and is sent, logged and shown on terminals.
    super(shorten(message, SHOWN.message), options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.status = status
    this.param = options.param
    this.retryAfterSeconds = options.retryAfterSeconds
    this.details = options.details
    this.publicMessage = options.publicMessage ?? (status >= 500 ? withoutPaths(message) : message)
  }

  /** Plain data that {@link fromWire} turns back into an equivalent error. */
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

/** Restores an error from {@link XllmError.toWire}. */
export function fromWire({ code, status, message, trace, ...options }: WireError): XllmError {
  const cause = trace === undefined ? undefined : Object.assign(new Error(message), { stack: trace })
  return new XllmError(code, status, message, { ...options, cause })
}

/**
 * Returns our own errors unchanged, and wraps others in one that may be shown, as its cause. The message of a
 * library or of the runtime means nothing to users, and may contain what only the log should have: see {@link
 * traceOf}.
 */
export function asXllmError(error: unknown): XllmError {
  if (error instanceof XllmError) return error
  return systemReason(error) === undefined
    ? new InternalError("internal error", error)
    : new SystemFailed(error)
}

/** The stack trace of a defect, for logs and reports; `undefined` for an expected failure. */
export function traceOf(error: unknown): string | undefined {
  let isInternal = false
  for (let one = error; one instanceof Error; one = one.cause) {
    if (one instanceof XllmError) isInternal = one.code === "internal_error"
    else if (isInternal || isDefect(one)) return one.stack ?? one.message
  }
  return undefined
}

/**
 * The reason of a failure, as a phrase that follows "cannot read FILE: ": our own messages unchanged, system errors
 * translated, and the first line of a library's message without codes. Messages not meant for users, such as a
 * TypeError's, are withheld.
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

/** {@link reasonOf}, preceded by the path where the system reports one. */
export function placeAndReason(error: unknown): string {
  const path = systemPath(error instanceof SystemFailed ? error.cause : error)
  const reason = reasonOf(error instanceof SystemFailed ? error.cause : error)
  return path === undefined ? reason : `${path}: ${reason}`
}

/** Is it an error the runtime throws for a bug in a program? `fetch` has TypeErrors of its own, with codes. */
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

/** `EBADF: ` and `TAR_BAD_ARCHIVE: ` before the text, and `, open '/path'` after it. */
const CODE = /^([A-Za-z]*Error|E[A-Z0-9]+|[A-Z][A-Z0-9]*(_[A-Z0-9]+)+):\s+/

const CALL = /, [a-z]+( '[^']*'( -> '[^']*')?)?$/

const PARSER = /^(JSON|YAML) Parse error:\s+/

/** A name or path from user input, as it is repeated in messages. */
export function named(text: string): string {
  return shorten(text, SHOWN.name)
}

/** A path for a message: the input may have any length. */
export function shortened(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path
}

export function inGigabytes(bytes: number): string {
  const gigabytes = Math.max(0, bytes) / 1024 ** 3
  return gigabytes < 1 ? `${Math.round(gigabytes * 1024)} MiB` : `${gigabytes.toFixed(1)} GiB`
}

/** An unexpected system error. The message has no path: it may be one of the server's. */
export class SystemFailed extends XllmError {
  constructor(cause: unknown) {
    super("system_failed", 500, `the operating system reports: ${reasonOf(cause)}`, { cause })
  }
}

/** A defect of ours that should not happen. With a `cause`, its trace is logged. */
export class InternalError extends XllmError {
  constructor(message: string, cause?: unknown) {
    super("internal_error", 500, message, { cause })
  }
}
