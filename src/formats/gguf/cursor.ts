import { InvalidModelFile } from "../../errors/model"
import { formatSize } from "../../lib/text/bytes"
import type { GgufScalar, GgufScalarType } from "./types"

/** A source of bytes: fills `target` from `position` on and returns the number of bytes read. */
export type ReadBytes = (target: Uint8Array, position: number) => number

/** Bytes read at once. */
const WINDOW_BYTES = 256 * 1024
/** Far above any published model: vocabularies of 260,000 tokens take about 15 MB. */
const MAX_HEADER_BYTES = 64 * 1024 ** 2
/** Longer strings are cut to this length; chat templates and licences are below 1 MB. */
const KEPT_STRING_BYTES = 1024 ** 2

/**
 * Reads little-endian values in order through a small window, so that a header of any size takes no more
 * memory than the values kept. Every read is checked against the end of the file.
 */
export class GgufCursor {
  readonly #path: string
  readonly #read: ReadBytes
  readonly #size: number
  readonly #window: Buffer
  #windowStart = 0
  #windowEnd = 0
  #position = 0

  constructor(path: string, size: number, read: ReadBytes) {
    this.#path = path
    this.#size = size
    this.#read = read
    // Not zero-filled: only bytes that were read are used.
    this.#window = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, size))
  }

  /** Offset in the file, in bytes. */
  get position(): number {
    return this.#position
  }

  get remaining(): number {
    return this.#size - this.#position
  }

  fail(reason: string): InvalidModelFile {
    return new InvalidModelFile(this.#path, reason)
  }

  u32(): number {
    const at = this.#take(4)
    return this.#window.readUInt32LE(at)
  }

  /** @throws InvalidModelFile if the number exceeds any possible file size */
  length(what: string): number {
    const at = this.#take(8)
    const value = this.#window.readUInt32LE(at) + this.#window.readUInt32LE(at + 4) * 2 ** 32
    if (!Number.isSafeInteger(value)) throw this.fail(`${what} is impossibly large; the file is damaged`)
    return value
  }

  /** A key or a name. @throws InvalidModelFile if it is longer than `maxBytes` */
  string(what: string, maxBytes: number): string {
    const length = this.#stringLength(what)
    if (length > maxBytes)
      throw this.fail(`${what} is ${formatSize(length)} long, more than ${formatSize(maxBytes)}`)
    return this.#text(length)
  }

  /** A string of any length; very long ones are cut. */
  text(what: string): string {
    const length = this.#stringLength(what)
    const kept = Math.min(length, KEPT_STRING_BYTES)
    const text = this.#text(kept)
    this.skip(length - kept, what)
    return text
  }

  skipString(what: string): void {
    this.skip(this.#stringLength(what), what)
  }

  skip(bytes: number, what: string): void {
    if (bytes > this.remaining) throw this.fail(`${what} reaches past the end of the file`)
    this.#moveTo(this.#position + bytes)
  }

  scalar(type: GgufScalarType, what: string): GgufScalar {
    const window = this.#window
    switch (type) {
      case "u8":
        return window.readUInt8(this.#take(1))
      case "i8":
        return window.readInt8(this.#take(1))
      case "u16":
        return window.readUInt16LE(this.#take(2))
      case "i16":
        return window.readInt16LE(this.#take(2))
      case "u32":
        return this.u32()
      case "i32":
        return window.readInt32LE(this.#take(4))
      case "f32":
        return window.readFloatLE(this.#take(4))
      case "bool":
        return window.readUInt8(this.#take(1)) !== 0
      case "string":
        return this.text(what)
      case "u64":
        return window.readBigUInt64LE(this.#take(8))
      case "i64":
        return window.readBigInt64LE(this.#take(8))
      case "f64":
        return window.readDoubleLE(this.#take(8))
    }
  }

  #stringLength(what: string): number {
    const length = this.length(`the length of ${what}`)
    if (length > this.remaining) throw this.fail(`${what} reaches past the end of the file`)
    return length
  }

  #text(length: number): string {
    if (length > WINDOW_BYTES) return this.#longString(length)
    const at = this.#take(length)
    return this.#window.toString("utf8", at, at + length)
  }

  #longString(length: number): string {
    const bytes = Buffer.alloc(length)
    const start = this.#position
    this.#moveTo(start + length)
    if (this.#read(bytes, start) < length) throw this.fail("the file ends inside its header")
    return bytes.toString("utf8")
  }

  /** Advances by `count` bytes (at most a window) and returns their offset in the window. */
  #take(count: number): number {
    if (this.#position < this.#windowStart || this.#position + count > this.#windowEnd) this.#fill(count)
    const at = this.#position - this.#windowStart
    this.#moveTo(this.#position + count)
    return at
  }

  #fill(count: number): void {
    this.#windowStart = this.#position
    const read = count > this.remaining ? 0 : this.#read(this.#window, this.#position)
    this.#windowEnd = this.#windowStart + read
    if (read < count) throw this.fail("the file ends inside its header")
  }

  #moveTo(position: number): void {
    if (position > MAX_HEADER_BYTES)
      throw this.fail(`the header is larger than ${formatSize(MAX_HEADER_BYTES)}`)
    this.#position = position
  }
}
