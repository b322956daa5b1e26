import { Cancelled, InternalError } from "../errors"
import { consume } from "./consume"
import type { Exchange } from "./exchange"
import { type Beginning, waitForOpening } from "./opening"

/** A file that is sent while it is made. The functions are called once per event: they have to be quick. */
export interface ByteSource<E> extends Omit<Beginning<E>, "waiting"> {
  /** Told when the stream begins, when and how it ends. */
  readonly exchange: Exchange
  /** What the file is; asked once, when its first bytes are there. */
  headers(): Readonly<Record<string, string>>
  /** What an event adds to the file; undefined: nothing. */
  bytes(event: E): Uint8Array | undefined
  /** Called at the end. @throws where the file is not complete */
  end(): void
}

/**
 * Sends a file while it is made, of unknown length. Nothing leaves before its first bytes, so that a failure until then
 * is a plain HTTP error; a later one breaks the connection off, which tells the client that the file is not whole.
 */
export async function streamBytes<E>(source: ByteSource<E>): Promise<Response> {
  const { events, client, exchange } = source
  const iterator = events[Symbol.asyncIterator]()
  let first: Uint8Array | undefined
  const waiting = (event: E) => {
    first = source.bytes(event)
    return first === undefined ? "waiting" : undefined
  }
  await waitForOpening(iterator, { events, client, waiting })
  if (first === undefined) {
    source.end()
    throw new InternalError("there is nothing in the file that was made")
  }
  exchange.streams()
  const body = new ReadableStream<Uint8Array>(new FileBody(source, iterator, first))
  return new Response(body, { headers: source.headers() })
}

class FileBody<E> {
  readonly #source: ByteSource<E>
  readonly #iterator: AsyncIterator<E>
  readonly #first: Uint8Array
  #isOpen = true

  constructor(source: ByteSource<E>, iterator: AsyncIterator<E>, first: Uint8Array) {
    this.#source = source
    this.#iterator = iterator
    this.#first = first
  }

  /** Not `pull`: the maker is not to wait for the network. */
  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    controller.enqueue(this.#first)
    void this.#run(controller)
  }

  cancel(): void {
    this.#isOpen = false
    this.#source.client.abort()
  }

  async #run(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const { client, exchange } = this.#source
    try {
      await consume(this.#iterator, client.signal, (event) => {
        const bytes = this.#source.bytes(event)
        if (bytes !== undefined && this.#isOpen) controller.enqueue(bytes)
      })
      this.#source.end()
      if (this.#isOpen) controller.close()
    } catch (error) {
      const failure = client.signal.aborted ? new Cancelled() : error
      exchange.failed(failure)
      client.abort()
      // Not closed: an end in good order would make the part look like the whole.
      if (this.#isOpen) controller.error(failure)
    } finally {
      this.#isOpen = false
      exchange.sent()
    }
  }
}
