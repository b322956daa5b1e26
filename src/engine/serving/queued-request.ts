import { taskOf, type WorkEvent, type WorkRequest } from "../../domain/tasks"
import type { XllmError } from "../../errors/base"
import type { EngineObserver, ObservedRequest } from "../observer"
import { blockHashes } from "./prefix-affinity"
import type { RequestStream } from "./request-stream"

const NOT_TOLD = -1

/**
 * A request accepted by a model, from arrival to end. Notifies its client and the metrics; start and end are each
 * reported at most once.
 */
export class QueuedRequest {
  readonly id: number
  readonly stream: RequestStream
  /** `performance.now()` */
  readonly arrivedAt: number
  readonly #observer: EngineObserver | undefined
  readonly #observed: ObservedRequest
  #timeout: ReturnType<typeof setTimeout> | undefined
  #started = false
  #over = false
  #lastTextAt: number | undefined
  #hasSpoken = false
  #position = NOT_TOLD
  #hashes: readonly bigint[] | undefined

  constructor(id: number, stream: RequestStream, model: string, observer: EngineObserver | undefined) {
    this.id = id
    this.stream = stream
    this.arrivedAt = performance.now()
    this.#observer = observer
    this.#observed = { model, kind: stream.request.kind }
  }

  get request(): WorkRequest {
    return this.stream.request
  }

  /** Requests of one group are parts of one client's request, as the prompts of a completion are. */
  get group(): unknown {
    return this.request.requestId ?? this
  }

  /** Worker slots it takes. */
  get slots(): number {
    return taskOf(this.request).slots(this.request)
  }

  /** Hashes of its prefix, see `prefix-affinity.ts`. */
  get hashes(): readonly bigint[] {
    this.#hashes ??= blockHashes(this.request)
    return this.#hashes
  }

  refused(error: XllmError): void {
    this.#observer?.requestRefused(this.#observed)
    this.stream.fail(error)
  }

  queued(): void {
    this.#observer?.requestQueued(this.#observed)
  }

  /** Calls `expired` unless the request starts or ends first. */
  limitWaiting(ms: number, expired: () => void): void {
    this.#timeout = setTimeout(expired, ms)
  }

  loading(fraction: number): void {
    this.stream.emit({ type: "loading", fraction })
  }

  /** The number of requests ahead; reported when it changes. */
  isAt(position: number): void {
    if (position === this.#position) return
    this.#position = position
    this.stream.emit({ type: "queued", position })
  }

  /** A worker has it from `now` on. `readyAt`: when its model finished loading. Returns how the wait divides. */
  start(now: number, readyAt: number): { readonly queueMs: number; readonly loadMs: number } {
    clearTimeout(this.#timeout)
    this.#started = true
    const waitingSince = Math.max(this.arrivedAt, readyAt)
    const waits = { queueMs: now - waitingSince, loadMs: waitingSince - this.arrivedAt }
    this.#observer?.requestStarted(this.#observed, waits.queueMs, waits.loadMs)
    return waits
  }

  /** Passes on a worker's event; returns true for the last one. */
  take(event: WorkEvent, now: number): boolean {
    if (event.type === "delta" && event.choice === 0) this.#countText(event.tokens, now)
    else if (event.type === "part-start" && event.part === "tool-call")
      this.#observer?.toolCall(this.#observed)
    else if (event.type === "audio" && "bytes" in event) this.#countAudio(now)
    this.stream.emit(event)
    if (event.type !== "done") return false
    if (this.#close()) this.#observer?.requestFinished(this.#observed, event)
    this.stream.finish()
    return true
  }

  fail(error: XllmError): void {
    if (this.#close()) {
      const type = this.#started ? "failed" : "unserved"
      this.#observer?.requestFinished(this.#observed, { type, code: error.code })
    }
    this.stream.fail(error)
  }

  /** Called when its client has disconnected. */
  left(): void {
    if (this.#close()) this.#observer?.requestFinished(this.#observed, { type: "cancelled" })
  }

  #countText(tokens: number, now: number): void {
    if (this.#observer === undefined) return
    if (this.#lastTextAt === undefined) this.#observer.firstToken(this.#observed, now - this.arrivedAt)
    else this.#observer.nextTokens(this.#observed, tokens, now - this.#lastTextAt)
    this.#lastTextAt = now
  }

  #countAudio(now: number): void {
    if (this.#hasSpoken) return
    this.#hasSpoken = true
    this.#observer?.firstAudio(this.#observed, now - this.arrivedAt)
  }

  #close(): boolean {
    if (this.#over) return false
    this.#over = true
    clearTimeout(this.#timeout)
    return true
  }
}
