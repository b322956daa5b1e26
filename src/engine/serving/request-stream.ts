import type { WorkEvent, WorkRequest } from "../../domain/tasks"
import type { XllmError } from "../../errors/base"
import { Cancelled } from "../../errors/request"
import { PushStream } from "../../lib/async/push-stream"

/**
 * One request on its way through the engine, and the events its client reads. It begins when the client asks for
 * the first event, and ends when it finishes, fails or is abandoned, by aborting the signal or by leaving the
 * iteration. Later events are ignored.
 */
export class RequestStream implements AsyncIterable<WorkEvent> {
  /** Its owner may replace it, before it waits for a worker. */
  request: WorkRequest
  /** The model's resolved name; undefined until it is found. */
  model: string | undefined
  readonly #signal: AbortSignal
  readonly #begin: (stream: RequestStream) => void
  readonly #events = new PushStream<WorkEvent>()
  #begun = false
  #over = false
  /** Called once if the client leaves before the end; set by the current owner of the request. */
  onLeave: (() => void) | undefined
  /** Optional async refinement of an error before it reaches the client. */
  diagnose: ((error: XllmError) => Promise<XllmError>) | undefined

  /** `begin` is called once, on the first read. */
  constructor(request: WorkRequest, signal: AbortSignal, begin: (stream: RequestStream) => void) {
    this.request = request
    this.#signal = signal
    this.#begin = begin
  }

  /** Has it finished, failed or been abandoned? */
  get over(): boolean {
    return this.#over
  }

  /** Emits an event to the client. Of unread progress events only the newest is kept. */
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

  /** Returns false where it is already over. */
  #close(): boolean {
    if (this.#over) return false
    this.#over = true
    this.#signal.removeEventListener("abort", this.#abort)
    return true
  }
}
