import { asXllmError, InternalError } from "../../errors/base"
import { consume, departureOf } from "../context/consume"
import type { RequestContext } from "../context/request-context"
import { type PendingStream, waitForFirstEvent } from "./first-event"
import { Outbox, PLAYER_STALL_MS } from "./outbox"

/** A file that is sent while it is generated. The functions are called for every event and must be fast. */
export interface ByteSource<E> extends Omit<PendingStream<E>, "waiting"> {
  /** Notified when the stream begins and ends. */
  readonly requestContext: RequestContext
  /** The file's headers; called once, when its first bytes are ready. */
  headers(): Readonly<Record<string, string>>
  /** The bytes that an event adds to the file; undefined if none. */
  bytes(event: E): Uint8Array | undefined
  /** Called at the end. @throws if the file is incomplete */
  end(): void
}

/**
 * Sends a file of unknown length while it is generated. Nothing is sent before its first bytes, so that an earlier
 * failure is a plain HTTP error; a later one aborts the connection, which tells the client that the file is
 * incomplete.
 */
export async function streamBytes<E>(source: ByteSource<E>): Promise<Response> {
  const { events, client, requestContext } = source
  const iterator = events[Symbol.asyncIterator]()
  let first: Uint8Array | undefined
  const waiting = (event: E) => {
    first = source.bytes(event)
    return first === undefined ? "waiting" : undefined
  }
  await waitForFirstEvent(iterator, { events, client, waiting })
  if (first === undefined) {
    source.end()
    throw new InternalError("the generated file is empty")
  }
  requestContext.streams()
  return new Response(new FileBody(source, iterator).start(first), { headers: source.headers() })
}

class FileBody<E> {
  readonly #source: ByteSource<E>
  readonly #iterator: AsyncIterator<E>
  readonly #outbox: Outbox

  constructor(source: ByteSource<E>, iterator: AsyncIterator<E>) {
    this.#source = source
    this.#iterator = iterator
    this.#outbox = new Outbox({ client: source.client, stallMs: PLAYER_STALL_MS })
  }

  /** The producer does not wait for the network. */
  start(first: Uint8Array): ReadableStream<Uint8Array> {
    this.#outbox.send(first)
    void this.#run()
    return this.#outbox.body
  }

  async #run(): Promise<void> {
    const { client, requestContext } = this.#source
    try {
      await consume(this.#iterator, client.signal, (event) => {
        const bytes = this.#source.bytes(event)
        if (bytes !== undefined) this.#outbox.send(bytes)
      })
      this.#source.end()
      const rejection = await this.#outbox.end()
      if (rejection !== undefined) requestContext.failed(rejection)
    } catch (error) {
      const failure = client.signal.aborted ? departureOf(client.signal) : asXllmError(error)
      requestContext.failed(failure)
      client.abort()
      // A normal end would make the part look like the whole file.
      this.#outbox.fail(failure)
    } finally {
      requestContext.sent()
    }
  }
}
