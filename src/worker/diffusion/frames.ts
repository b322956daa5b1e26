/**
 * Header of each frame: the lengths of a JSON text and of the bytes after it, as 32-bit little-endian
 * numbers.
 */
const HEAD_BYTES = 8

export interface Frame {
  readonly message: unknown
  readonly bytes: Uint8Array
}

export function encodeFrame(message: unknown, bytes: Uint8Array = new Uint8Array()): Uint8Array {
  const text = Buffer.from(JSON.stringify(message))
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUInt32LE(text.length, 0)
  head.writeUInt32LE(bytes.length, 4)
  return Buffer.concat([head, text, bytes])
}

/** Reassembles frames from chunks. */
export class FrameReader {
  #pieces: Uint8Array[] = []
  #bytes = 0
  /** Size of the first frame in bytes, as far as known. */
  #wanted = HEAD_BYTES

  /** The frames completed by `piece`. */
  push(piece: Uint8Array): Frame[] {
    this.#pieces.push(piece)
    this.#bytes += piece.length
    const frames: Frame[] = []
    while (this.#bytes >= this.#wanted) {
      const received = Buffer.concat(this.#pieces)
      const textEnd = HEAD_BYTES + received.readUInt32LE(0)
      const frameEnd = textEnd + received.readUInt32LE(4)
      const isComplete = received.length >= frameEnd
      if (isComplete) {
        const message: unknown = JSON.parse(received.subarray(HEAD_BYTES, textEnd).toString())
        frames.push({ message, bytes: new Uint8Array(received.subarray(textEnd, frameEnd)) })
      }
      const rest = isComplete ? received.subarray(frameEnd) : received
      this.#pieces = [rest]
      this.#bytes = rest.length
      this.#wanted = isComplete ? HEAD_BYTES : frameEnd
    }
    return frames
  }
}
