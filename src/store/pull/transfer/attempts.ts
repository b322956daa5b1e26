import { reasonOf } from "../../../errors/base"
import { DownloadFailed } from "../../../errors/store"
import { isDiskFull } from "../../../lib/system/disk-full"
import { systemPath } from "../../../lib/system/system-reason"
import { drop, type HttpResponse } from "./http-client"
import { isTemporary, type Patience, retryAfterMs, retryDelay } from "./retry"

/** Worth another attempt. */
export class Temporary extends Error {
  readonly retryAfterMs: number | undefined

  constructor(reason: string, options: { cause?: unknown; retryAfterMs?: number | undefined } = {}) {
    super(reason, { cause: options.cause })
    this.retryAfterMs = options.retryAfterMs
  }
}

export interface AttemptOptions {
  /** What is fetched, for messages. */
  readonly label: string
  readonly patience: Patience
  readonly signal: AbortSignal
  /** Bytes so far: an attempt that made progress does not count as failed. Absent: all or nothing. */
  readonly progress?: () => number
  readonly onFruitless?: () => void
}

/**
 * Retries with increasing delays until it succeeds.
 * @throws DownloadFailed after too many attempts in a row without progress; the signal's reason; errors that a
 * retry would not fix
 */
export async function persist<T>(attempt: () => Promise<T>, options: AttemptOptions): Promise<T> {
  const { label, patience, signal, progress = () => 0, onFruitless } = options
  for (let failures = 0; ;) {
    const before = progress()
    try {
      return await attempt()
    } catch (error) {
      signal.throwIfAborted()
      const reason = asTemporary(error)
      if (reason === undefined) throw error
      const isFruitless = progress() === before
      failures = isFruitless ? failures + 1 : 1
      if (isFruitless) onFruitless?.()
      if (failures >= patience.attempts || (reason.retryAfterMs ?? 0) > patience.longestRetryAfterMs) {
        throw new DownloadFailed(label, giveUpReason(reason, failures), error)
      }
      const delay = Math.max(reason.retryAfterMs ?? 0, retryDelay(failures, Math.random(), patience))
      await pause(delay, signal)
    }
  }
}

/** Returns for any answer other than a temporary refusal. @throws Temporary */
export async function refuseTemporary(answer: HttpResponse): Promise<void> {
  const { status, headers } = answer.response
  if (!isTemporary(status)) return
  await drop(answer)
  throw new Temporary(`${new URL(answer.url).host} answered ${status}`, {
    retryAfterMs: retryAfterMs(headers.get("retry-after"), new Date()),
  })
}

function giveUpReason({ message, retryAfterMs: wait }: Temporary, failures: number): string {
  if (wait !== undefined && wait > 0) return `${message} and asks to retry in ${Math.ceil(wait / 1000)} s`
  return `${message}, ${failures} times in a row`
}

/** Errors that a new connection may fix: all errors of connections. */
function asTemporary(error: unknown): Temporary | undefined {
  if (error instanceof Temporary) return error
  if (!(error instanceof Error) || isDiskFull(error) || !isOfConnection(error)) return undefined
  return new Temporary(reasonWithHost(error), { cause: error })
}

/** `fetch` reports an unreachable address as a path. */
function reasonWithHost(error: Error): string {
  const host = URL.parse(systemPath(error) ?? "")?.host
  return host === undefined || host === "" ? reasonOf(error) : `${host}: ${reasonOf(error)}`
}

/** Errors of `fetch` and of its sockets, by name and code: there is no class for them. */
export function isOfConnection(error: Error): boolean {
  const code = "code" in error ? String(error.code) : ""
  return error.name === "TimeoutError" || (error instanceof TypeError && code !== "") || CONNECTION.test(code)
}

const CONNECTION =
  /^(E(CONN|PIPE|TIMEDOUT|HOST|NET|AI_|NOTFOUND)|Connection|FailedToOpenSocket|UNABLE|ERR_TLS|ERR_SSL|CERT|DEPTH_ZERO|SELF_SIGNED)/

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort)
      resolve()
    }, ms)
    signal.addEventListener("abort", onAbort, { once: true })
  })
}
