import type { XllmError } from "../../errors/base"
import { RequestStopped } from "../../errors/request"
import { consume, departureOf } from "../context/consume"
import type { RequestContext } from "../context/request-context"
import { type FirstEvent, type PendingStream, startingWith, waitForFirstEvent } from "./first-event"
import { Outbox } from "./outbox"

/** How long to wait for the model before the response starts with comments: clients time out on silence. */
const OPENING_GRACE_MS = 1000

/** A comment is sent after this much silence: proxies and clients would assume that the connection is dead. */
const HEARTBEAT_MS = 15_000

/** The interval of the silence check, so that sending a token needs no timer. */
const LOOK_MS = HEARTBEAT_MS / 3

const HEADERS = {
  "cache-control": "no-cache",
  // Keeps nginx from buffering chunks.
  "x-accel-buffering": "no",
}

/** How a stream is written. */
export interface Framing {
  readonly contentType: string
  /** Text that clients skip, for while there is nothing to send; empty: there is no such text. */
  note(words: string): string
}

const SERVER_SENT_EVENTS: Framing = {
  contentType: "text/event-stream; charset=utf-8",
  note: (words) => `: ${words}\n\n`,
}

/** JSON values, each in a line of its own. They have no comments. */
export const JSON_LINES: Framing = { contentType: "application/x-ndjson", note: () => "" }

/** The source of an event stream. The functions are called for every event and must be fast. */
export interface SseSource<E> extends PendingStream<E> {
  /** Notified when the stream begins and ends. */
  readonly requestContext: RequestContext
  /** How long a client may read nothing while much is waiting; absent: the default for text. */
  readonly stallMs?: number
  /** Absent: server-sent events. */
  readonly framing?: Framing
  /** The complete events or lines to send for an event, or empty. */
  render(event: E): string
  /** The end of the stream. @throws if the answer is incomplete */
  end(): string
  /** The text to send if the answer fails after it began. */
  fail(error: XllmError): string
}

/**
 * Sends events to the client as they arrive. Failures before the answer begins are thrown and become plain HTTP
 * errors; later ones are sent with `fail`. A stream always ends with `end` or `fail`, unless the client is gone.
 */
export async function sse<E>(source: SseSource<E>): Promise<Response> {
  const iterator = source.events[Symbol.asyncIterator]()
  const opening = await waitForFirstEvent(iterator, source, OPENING_GRACE_MS)
  source.requestContext.streams()
  const { contentType } = source.framing ?? SERVER_SENT_EVENTS
  const headers = { "content-type": contentType, ...HEADERS }
  return new Response(new SseBody(source, iterator, opening).start(), { headers })
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

  /**
   * Consumes events as they arrive, even if the client does not read: leaving them in the engine's queue would save
   * nothing.
   */
  start(): ReadableStream<Uint8Array> {
    if (this.#note !== undefined) this.#sendNote(this.#note)
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
      const isGone = client.signal.aborted && !(failure instanceof RequestStopped)
      if (!isGone) this.#send(this.#source.fail(failure))
      // Cancels other iterations of the same answer.
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
    this.#sendNote(note)
  }

  #sendNote(words: string): void {
    const text = (this.#source.framing ?? SERVER_SENT_EVENTS).note(words)
    if (text !== "") this.#send(text)
  }

  #send(text: string): void {
    this.#silentLooks = 0
    this.#outbox.send(this.#encoder.encode(text))
  }

  #look(): void {
    this.#silentLooks++
    if (this.#silentLooks * LOOK_MS >= HEARTBEAT_MS) this.#sendNote(this.#note ?? "still here")
  }
}
