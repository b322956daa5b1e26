import type { XllmError } from "../../errors/base"
import { Cancelled, ClientStalled } from "../../errors/request"
import { Alarm } from "../../lib/async/alarm"

/** If more than this is waiting, the client has stopped reading; the system's own buffers fill up first. */
const MUCH_BYTES = 1024 ** 2

/** A client with more than this waiting is given up, however fast it reads. */
const MAX_BYTES = 64 * MUCH_BYTES

/** Bytes per chunk. Bun does not report how much of a chunk was sent. */
const PIECE_BYTES = 16 * 1024

/** A client that takes nothing for this long while much is waiting has stopped reading. */
export const STALL_MS = 30_000

/**
 * Players read audio as they play it, and systems buffer it in steps of megabytes: minutes may pass between two
 * reads.
 */
export const PLAYER_STALL_MS = 5 * 60_000

export interface OutboxOptions {
  /** Aborted when the client disconnects, or, with {@link ClientStalled}, when it stops reading. */
  readonly client: AbortController
  /** Default: {@link STALL_MS}. */
  readonly stallMs?: number
}

/**
 * A response body that is sent while it is produced. The producer does not wait for the network: unsent data is
 * buffered up to a limit. A client that stops reading is given up and its data discarded.
 */
export class Outbox {
  readonly body: ReadableStream<Uint8Array>
  readonly #client: AbortController
  readonly #stallMs: number
  readonly #alarm: Alarm
  readonly #over = Promise.withResolvers<XllmError | undefined>()
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #pieces: Uint8Array[] = []
  #keptBytes = 0
  /** The network is ready, but there was nothing to send. */
  #isAwaited = false
  #isEnding = false
  #isOpen = true
  #takenAt = performance.now()

  constructor({ client, stallMs = STALL_MS }: OutboxOptions) {
    this.#client = client
    this.#stallMs = stallMs
    this.#alarm = new Alarm(
      () => this.#dueAt(),
      () => this.#giveUp(new ClientStalled(this.#keptBytes, performance.now() - this.#takenAt)),
    )
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => void (this.#controller = controller),
        pull: () => this.#pull(),
        cancel: () => {
          this.#close(new Cancelled())
          client.abort()
        },
      },
      // Bun requests a chunk when it has sent the previous one; no other buffer must lie between.
      { highWaterMark: 0 },
    )
  }

  /** Queues `bytes` for sending; ignored after the body has ended or the client is gone. */
  send(bytes: Uint8Array): void {
    if (!this.#isOpen || this.#isEnding) return
    for (let start = 0; start < bytes.byteLength; start += PIECE_BYTES) {
      this.#pieces.push(bytes.subarray(start, start + PIECE_BYTES))
    }
    this.#keptBytes += bytes.byteLength
    if (this.#isAwaited) this.#pull()
    if (this.#keptBytes > MAX_BYTES) this.#giveUp(new ClientStalled(this.#keptBytes))
    else if (this.#isHeldUp) this.#alarm.arm()
  }

  /** Ends the body. Resolves when the client has received everything, or to the error that prevented it. */
  end(): Promise<XllmError | undefined> {
    this.#isEnding = true
    if (this.#isAwaited) this.#pull()
    if (this.#isHeldUp) this.#alarm.arm()
    return this.#over.promise
  }

  /** Aborts the body, so that clients do not take it for complete. */
  fail(error: XllmError): void {
    if (!this.#isOpen) return
    this.#close(error)
    this.#controller?.error(error)
  }

  /** Once the body has ended, any unsent data counts as a stall: clients that do not fetch the rest are given up. */
  get #isHeldUp(): boolean {
    return this.#isOpen && (this.#isEnding || this.#keptBytes > MUCH_BYTES)
  }

  #pull(): void {
    this.#takenAt = performance.now()
    this.#isAwaited = this.#pieces.length === 0
    if (!this.#isAwaited) {
      this.#controller?.enqueue(this.#take())
    } else if (this.#isEnding && this.#isOpen) {
      this.#close(undefined)
      this.#controller?.close()
    }
  }

  /** The next chunk, of about PIECE_BYTES. */
  #take(): Uint8Array {
    let count = 0
    let length = 0
    for (const { byteLength } of this.#pieces) {
      count++
      length += byteLength
      if (length >= PIECE_BYTES) break
    }
    const taken = this.#pieces.splice(0, count)
    this.#keptBytes -= length
    const [only] = taken
    return only !== undefined && count === 1 ? only : Buffer.concat(taken, length)
  }

  #dueAt(): number | undefined {
    return this.#isHeldUp ? this.#takenAt + this.#stallMs : undefined
  }

  #giveUp(stalled: ClientStalled): void {
    this.#client.abort(stalled)
    this.fail(stalled)
  }

  #close(why: XllmError | undefined): void {
    this.#isOpen = false
    this.#pieces = []
    this.#keptBytes = 0
    this.#alarm.disarm()
    this.#over.resolve(why)
  }
}
