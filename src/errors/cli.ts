import { systemCode } from "../lib/system/system-reason"
import { reasonOf, XllmError } from "./base"

/** The server cannot listen on the configured address or socket path. */
export class CannotListen extends XllmError {
  constructor(address: string, reason: string, cause?: unknown) {
    super("cannot_listen", 500, `cannot listen on ${address}: ${reason}`, { cause })
  }
}

/** No xLLM server answers at the expected address. */
export class ServerUnreachable extends XllmError {
  constructor(url: string, cause?: unknown) {
    // These look like a server that is not running; anything else needs another remedy.
    const isAbsent = cause === undefined || ["ECONNREFUSED", "ENOENT"].includes(systemCode(cause) ?? "")
    const why = isAbsent ? "; start one with 'xllm serve'" : `: ${reasonOf(cause)}`
    super("server_unreachable", 503, `could not connect to a server at ${url}${why}`, { cause })
  }
}

/** The server refuses requests with this API key, or without one. */
export class ApiKeyRefused extends XllmError {
  constructor(url: string, isGiven: boolean) {
    const why = isGiven ? "does not accept the API key given" : "requires an API key"
    super("invalid_api_key", 401, `the server at ${url} ${why}: set XLLM_API_KEY to one of its keys`)
  }
}

/** The response is not from an xLLM server, or violates its protocol. */
export class UnexpectedServerResponse extends XllmError {
  constructor(url: string, what: string) {
    super("bad_server_answer", 502, `the server at ${url} ${what}`)
  }
}

/** Wrong use of a command; the command line prints it with a hint. */
export class UsageError extends XllmError {
  constructor(message: string) {
    super("usage", 400, message)
  }
}

/** A measurement is impossible, or its result would mean nothing. */
export class CannotMeasure extends XllmError {
  constructor(reason: string, cause?: unknown) {
    super("cannot_measure", 502, reason, { cause })
  }
}
