import type { RequestOptions } from "../domain"
import { InvalidRequest } from "../errors"
import { exchangeOf } from "./exchange"

/** What a request learns from its request's headers. */
export type HeaderOptions = Pick<RequestOptions, "requestId" | "queueTimeoutMs">

const TIMEOUT_HEADER = "X-Request-Timeout"

/** Nobody waits longer than this, in seconds: 30 days. Timers take no more. */
const MAX_TIMEOUT_SECONDS = 30 * 86_400

/** @throws InvalidRequest where X-Request-Timeout is no number of seconds */
export function readHeaderOptions(request: Request): HeaderOptions {
  const requestId = exchangeOf(request).id
  const timeout = request.headers.get(TIMEOUT_HEADER)
  if (timeout === null) return { requestId }
  const seconds = /^\d+(?:\.\d+)?$/.test(timeout) ? Number(timeout) : NaN
  if (!(seconds <= MAX_TIMEOUT_SECONDS)) {
    throw new InvalidRequest(
      `${TIMEOUT_HEADER} must be a number of seconds between 0 and ${MAX_TIMEOUT_SECONDS}, ` +
        `got ${JSON.stringify(timeout.slice(0, 40))}`,
    )
  }
  return { requestId, queueTimeoutMs: seconds * 1000 }
}
