import type { GenerationOptions } from "../../domain/chat"
import type { RequestOptions } from "../../domain/request"
import { InvalidRequest } from "../../errors/request"
import { shorten } from "../../lib/text/shorten"
import { LONGEST_WAIT_SECONDS, SHOWN } from "../../limits"
import { requestContextOf } from "../context/request-context"

/** The request options that come from HTTP headers. */
export type HeaderOptions = Pick<RequestOptions, "requestId" | "queueTimeoutMs"> &
  Pick<GenerationOptions, "cacheOwner">

const TIMEOUT_HEADER = "X-Request-Timeout"

/** @throws InvalidRequest if X-Request-Timeout is not a number of seconds */
export function readHeaderOptions(request: Request): HeaderOptions {
  const { id: requestId, cacheOwner } = requestContextOf(request)
  const given = { requestId, ...(cacheOwner !== undefined && { cacheOwner }) }
  const timeout = request.headers.get(TIMEOUT_HEADER)
  if (timeout === null) return given
  const seconds = /^\d+(?:\.\d+)?$/.test(timeout) ? Number(timeout) : NaN
  if (!(seconds <= LONGEST_WAIT_SECONDS)) {
    throw new InvalidRequest(
      `${TIMEOUT_HEADER} must be a number of seconds between 0 and ${LONGEST_WAIT_SECONDS}, ` +
        `got ${JSON.stringify(shorten(timeout, SHOWN.value))}`,
    )
  }
  return { ...given, queueTimeoutMs: seconds * 1000 }
}
