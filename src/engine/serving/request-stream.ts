import type { WorkEvent, WorkRequest } from "../../domain/tasks"
import type { XllmError } from "../../errors/base"
import { Cancelled } from "../../errors/request"
import { PushStream } from "../../lib/async/push-stream"

/**
 * One request on its way through the engine, and the events that its client reads. It begins when the client asks
 * for the first event, and is over when it was finished, has failed, or the client has left: by aborting its signal
 * or by leaving the iteration. What happens after that is ignored.
 */
export class RequestStream implements AsyncIterable<WorkEvent> {
  readonly request: WorkRequest
  /** What the engine calls the model; undefined before it is found. */
  model: string | undefined
  readonly #signal: AbortSignal
  readonly #begin: (stream: RequestStream) => void
  readonly #events = new PushStream<WorkEvent>()
  #begun = false
  #over = false
  /** Called once if the client leaves before the end; set by whoever works on the request. */
  onLeave: (() => void) | undefined
  /** Looks closer at why it fails, before the client is told; absent: the client is told at once. */
  diagnose: ((error: XllmError) => Promise<XllmError>) | undefined

  /** `begin` is called once, with the first read. */
  constructor(request: WorkRequest, signal: AbortSignal, begin: (stream: RequestStream) => void) {
    this.request = request
    this.#signal = signal
    this.#begin = begin
  }

  /** Has it been finished, failed or left? */
  get over(): boolean {
    return this.#over
  }

  /** Tells the client. Of progress that it has not read yet only the newest is kept. */
  emit(event: WorkEvent): void {
    if (event.type === "loading" || event.type === "queued") {
      this.#events.pushLatest(event, (newest) => newest.type === "loading" || newest.type === "queued")
    } else {
      this.#events.push(event)
    }
  }

  finish(): void {
    if (this.#close()) this.#events.end()
  }

  fail(error: XllmError): void {
    if (!this.#close()) return
    if (this.diagnose === undefined) return this.#events.fail(error)
    void this.diagnose(error).then((explained) => this.#events.fail(explained))
  }

  [Symbol.asyncIterator](): AsyncIterator<WorkEvent> {
    return {
      next: () => {
        if (!this.#begun) this.#start()
        return this.#events.next()
      },
      return: () => {
        this.#leave()
        return this.#events.return()
      },
    }
  }

  #start(): void {
    this.#begun = true
    if (this.#over) return
    if (this.#signal.aborted) {
      this.fail(new Cancelled())
      return
    }
    this.#signal.addEventListener("abort", this.#abort, { once: true })
    this.#begin(this)
  }

  readonly #abort = (): void => {
    this.#leave()
    this.#events.fail(new Cancelled())
  }

  #leave(): void {
    if (this.#close()) this.onLeave?.()
  }

  /** False where it is over already. */
  #close(): boolean {
    if (this.#over) return false
    this.#over = true
    this.#signal.removeEventListener("abort", this.#abort)
    return true
  }
}
