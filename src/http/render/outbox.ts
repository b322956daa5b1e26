import type { XllmError } from "../../errors/base"
import { Cancelled, ClientStalled } from "../../errors/request"
import { Alarm } from "../../lib/async/alarm"

/** More than this that waits for a client is a sign that the client does not read; what systems hold comes before it. */
const MUCH_BYTES = 1024 ** 2

/** More than this waits for nobody, however slowly it is read. */
const MAX_BYTES = 64 * MUCH_BYTES

/** What is handed over at a time. Bun tells nothing of how far it has come with a piece. */
const PIECE_BYTES = 16 * 1024

/** A client that takes nothing of much for this long has stopped reading. */
export const STALL_MS = 30_000

/**
 * Players read audio as they play it, and systems take it from us in steps of megabytes: minutes of it may pass between
 * two of them.
 */
export const PLAYER_STALL_MS = 5 * 60_000

export interface OutboxOptions {
  /** Aborted when the client disconnects, and when it does not read: with {@link ClientStalled} then. */
  readonly client: AbortController
  /** Absent: {@link STALL_MS}. */
  readonly stallMs?: number
}

/**
 * The body of a response that is sent while it is made. Whoever makes it does not wait for the network; what the client
 * has not taken yet is kept here, within bounds: a client that stops reading is given up, and what is kept with it.
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
  /** The network has room, and there was nothing to send. */
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
      // Bun asks for a piece when it has sent the one before; nothing is to lie between us and it.
      { highWaterMark: 0 },
    )
  }

  /** Sends `bytes` after what was given before; ignored where nobody is there. */
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

  /** Nothing more is sent. Resolves when the client has taken everything, or to why it never will. */
  end(): Promise<XllmError | undefined> {
    this.#isEnding = true
    if (this.#isAwaited) this.#pull()
    if (this.#isHeldUp) this.#alarm.arm()
    return this.#over.promise
  }

  /** Breaks the body off, so that the part is not taken for the whole. */
  fail(error: XllmError): void {
    if (!this.#isOpen) return
    this.#close(error)
    this.#controller?.error(error)
  }

  /** At the end every byte counts: a client that does not fetch the rest is not waited for. */
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

  /** The next bytes: about as many as are handed over at a time. */
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
