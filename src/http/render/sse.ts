import type { XllmError } from "../../errors/base"
import { consume, departureOf } from "../context/consume"
import type { RequestContext } from "../context/request-context"
import { type FirstEvent, type PendingStream, startingWith, waitForFirstEvent } from "./first-event"
import { Outbox } from "./outbox"

/** How long a request may wait for its model before the response starts with comments: clients time out on silence. */
const OPENING_GRACE_MS = 1000

/** A comment is sent after this much silence: proxies and clients take longer ones for a dead connection. */
const HEARTBEAT_MS = 15_000

/** The silence is looked at in this rhythm, so that sending a token needs no timer. */
const LOOK_MS = HEARTBEAT_MS / 3

const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  // Keeps nginx from holding chunks back.
  "x-accel-buffering": "no",
}

/** What an event stream is made of. The functions are called once per event: they have to be quick. */
export interface SseSource<E> extends PendingStream<E> {
  /** Told when the stream begins, when and how it ends. */
  readonly requestContext: RequestContext
  /** How long a client may take nothing of much that waits for it; absent: as for text. */
  readonly stallMs?: number
  /** What is sent for an event: whole SSE events, or nothing. */
  render(event: E): string
  /** What is sent at the end. @throws where the answer is not complete */
  end(): string
  /** What is sent when the answer fails after it began. */
  fail(error: XllmError): string
}

/**
 * Sends events to the client as they come. Failures before the answer begins are thrown, so that they become plain
 * HTTP errors; later ones are sent with `fail`. Never ends without either `end` or `fail`, except that nobody is there.
 */
export async function sse<E>(source: SseSource<E>): Promise<Response> {
  const iterator = source.events[Symbol.asyncIterator]()
  const opening = await waitForFirstEvent(iterator, source, OPENING_GRACE_MS)
  source.requestContext.streams()
  return new Response(new SseBody(source, iterator, opening).start(), { headers: HEADERS })
}

class SseBody<E> {
  readonly #source: SseSource<E>
  readonly #iterator: AsyncIterator<E>
  readonly #encoder = new TextEncoder()
  readonly #outbox: Outbox
  #note: string | undefined
  #silentLooks = 0

  constructor(source: SseSource<E>, iterator: AsyncIterator<E>, opening: FirstEvent<E>) {
    this.#source = source
    this.#iterator = startingWith(opening.first, iterator)
    this.#note = opening.note
    this.#outbox = new Outbox(source)
  }

  /** Takes events as they come, whether or not somebody reads: nothing is saved by leaving them in the engine's queue. */
  start(): ReadableStream<Uint8Array> {
    if (this.#note !== undefined) this.#send(`: ${this.#note}\n\n`)
    void this.#run()
    return this.#outbox.body
  }

  async #run(): Promise<void> {
    const { client, requestContext } = this.#source
    const timer = setInterval(() => this.#look(), LOOK_MS)
    try {
      await consume(this.#iterator, client.signal, (event) => this.#take(event))
      this.#send(this.#source.end())
    } catch (error) {
      const failure = requestContext.failed(client.signal.aborted ? departureOf(client.signal) : error)
      if (!client.signal.aborted) this.#send(this.#source.fail(failure))
      // Other iterations of the same answer have nobody to generate for.
      client.abort()
    } finally {
      clearInterval(timer)
      const rejection = await this.#outbox.end()
      if (rejection !== undefined && requestContext.error === undefined) requestContext.failed(rejection)
      requestContext.sent()
    }
  }

  #take(event: E): void {
    const text = this.#source.render(event)
    if (text !== "") {
      this.#note = undefined
      return this.#send(text)
    }
    const note = this.#source.waiting(event)
    if (note === undefined || note === this.#note) return
    this.#note = note
    this.#send(`: ${note}\n\n`)
  }

  #send(text: string): void {
    this.#silentLooks = 0
    this.#outbox.send(this.#encoder.encode(text))
  }

  #look(): void {
    this.#silentLooks++
    if (this.#silentLooks * LOOK_MS >= HEARTBEAT_MS) this.#send(`: ${this.#note ?? "still here"}\n\n`)
  }
}
