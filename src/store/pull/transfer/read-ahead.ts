import { PushStream } from "../../../lib/async/push-stream"

/** Unwritten bytes buffered per connection. */
const MOST_WAITING_BYTES = 4 * 1024 ** 2

/**
 * A body's chunks, read from the connection as soon as they arrive: a failing stream drops its queue, so unread
 * data would be lost. Fails after the last chunk received.
 * @param onStall called when no data came for `stallMs`; should end the connection
 */
export async function* readAhead(
  body: ReadableStream<Uint8Array>,
  stallMs: number,
  onStall: () => void,
): AsyncGenerator<Uint8Array> {
  const came = new PushStream<Uint8Array>()
  const room = new Room()
  const reader = body.getReader()
  const take = async () => {
    for (;;) {
      await room.free()
      const timer = setTimeout(onStall, stallMs)
      const { done, value } = await reader.read().finally(() => clearTimeout(timer))
      if (done) return came.end()
      room.take(value.length)
      came.push(value)
    }
  }
  void take().catch((error: unknown) => came.fail(error))
  try {
    for await (const bytes of came) {
      yield bytes
      room.give(bytes.length)
    }
  } finally {
    room.close()
    await reader.cancel().catch(() => {})
  }
}

/** Blocks the reader while too much is buffered. */
class Room {
  #waiting = 0
  #wake: (() => void) | undefined
  #isClosed = false

  take(bytes: number): void {
    this.#waiting += bytes
  }

  give(bytes: number): void {
    this.#waiting -= bytes
    if (this.#waiting < MOST_WAITING_BYTES) this.#wake?.()
  }

  close(): void {
    this.#isClosed = true
    this.#wake?.()
  }

  async free(): Promise<void> {
    if (this.#isClosed || this.#waiting < MOST_WAITING_BYTES) return
    await new Promise<void>((resolve) => (this.#wake = resolve))
    this.#wake = undefined
  }
}
