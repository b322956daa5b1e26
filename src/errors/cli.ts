import { systemCode } from "../lib/system/system-reason"
import { reasonOf, XllmError } from "./base"

/** The server cannot have the address (or the socket's path) that it was told to listen on. */
export class CannotListen extends XllmError {
  constructor(address: string, reason: string, cause?: unknown) {
    super("cannot_listen", 500, `cannot listen on ${address}: ${reason}`, { cause })
  }
}

/** No xLLM server answers where a command looks for one. */
export class ServerUnreachable extends XllmError {
  constructor(url: string, cause?: unknown) {
    // That nobody listens is what it looks like; anything else has another remedy.
    const isAbsent = cause === undefined || ["ECONNREFUSED", "ENOENT"].includes(systemCode(cause) ?? "")
    const why = isAbsent ? "; start one with 'xllm serve'" : `: ${reasonOf(cause)}`
    super("server_unreachable", 503, `could not connect to a server at ${url}${why}`, { cause })
  }
}

/** What answers a command is no xLLM server, or broke its word. */
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
