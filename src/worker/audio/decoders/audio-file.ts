import { closeSync, fstatSync, openSync, readSync } from "node:fs"
import { reasonOf } from "../../../errors/base"
import { InvalidRequest } from "../../../errors/request"

/** Bytes decoded at a time: about a second of audio, so that a cancel takes effect soon. */
const PART_BYTES = 64 * 1024

/** An uploaded file, read in parts. */
export class AudioFile implements Disposable {
  readonly path: string
  readonly size: number
  readonly #descriptor: number

  /** @throws InvalidRequest if the file does not exist or cannot be read */
  constructor(path: string) {
    this.path = path
    try {
      this.#descriptor = openSync(path, "r")
    } catch (error) {
      throw brokenAudio(`it cannot be read (${reasonOf(error)})`)
    }
    this.size = fstatSync(this.#descriptor).size
  }

  /** Reads up to `length` bytes from `position` on; fewer at the end of the file. */
  read(position: number, length: number): Buffer {
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, this.size - position)))
    const count = bytes.length === 0 ? 0 : readSync(this.#descriptor, bytes, 0, bytes.length, position)
    return bytes.subarray(0, count)
  }

  /** The bytes of the file from `position` to `end`, in order. */
  *parts(position = 0, end = this.size, partBytes = PART_BYTES): Generator<Buffer> {
    while (position < end) {
      const part = this.read(position, Math.min(partBytes, end - position))
      if (part.length === 0) return
      position += part.length
      yield part
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor)
  }
}

/** The error for an upload that cannot be decoded. */
export function brokenAudio(reason: string): InvalidRequest {
  return new InvalidRequest(`the audio file cannot be used: ${reason}`, "file")
}

/** The error for a file shorter than its header says. */
export function cutShort(promised: string, found: string): InvalidRequest {
  return brokenAudio(`it is cut short: its header declares ${promised}, but there ${found}`)
}
