import type { FileHandle } from "node:fs/promises"
import { InvalidModelFile } from "../../errors/model"
import { formatSize } from "../../lib/text/bytes"

/** Bytes read at once. */
const WINDOW_BYTES = 64 * 1024
/** A tag and a length are varints of at most 5 and 10 bytes. */
const MOST_HEAD_BYTES = 15

/** Protobuf's wire types. */
const VARINT = 0
const FIXED64 = 1
const LENGTH = 2
const FIXED32 = 5

export interface ProtobufField {
  readonly number: number
  /** Of a varint. Values beyond JavaScript's safe integers lose digits. */
  readonly value: number
  /** Offset in the file of a string, message or fixed-size value; empty for a varint. */
  readonly start: number
  readonly end: number
}

/**
 * Iterates over the fields of protobuf messages in a file through a small window: unused contents are
 * skipped, not read. Every length is checked against the enclosing message.
 */
export class ProtobufReader {
  readonly #path: string
  readonly #file: FileHandle
  readonly size: number
  readonly #window = Buffer.alloc(WINDOW_BYTES)
  #windowStart = 0
  #windowEnd = 0
  #fieldsLeft: number

  /** `mostFields`: limit on the total number of fields, so that reading a hostile file ends. */
  constructor(path: string, file: FileHandle, size: number, mostFields: number) {
    this.#path = path
    this.#file = file
    this.size = size
    this.#fieldsLeft = mostFields
  }

  fail(reason: string): InvalidModelFile {
    return new InvalidModelFile(this.#path, reason)
  }

  /** The fields of the message between `start` and `end`, in order. */
  async *fields(start: number, end: number): AsyncGenerator<ProtobufField, void, undefined> {
    let position = start
    while (position < end) {
      if (this.#fieldsLeft-- <= 0) throw this.fail("it has more parts than any model")
      if (!this.#holds(position, Math.min(MOST_HEAD_BYTES, end - position))) await this.#fill(position)
      const field = this.#field(position, end)
      position = field.end
      yield field
    }
  }

  /** The string in a field. @throws InvalidModelFile if it is longer than `mostBytes` */
  async text(field: ProtobufField, mostBytes: number): Promise<string> {
    const length = field.end - field.start
    if (length > mostBytes)
      throw this.fail(`a string in it is ${formatSize(length)} long, more than ${formatSize(mostBytes)}`)
    if (length > WINDOW_BYTES) return (await this.#readAt(field.start, Buffer.alloc(length))).toString("utf8")
    if (!this.#holds(field.start, length)) await this.#fill(field.start)
    const at = field.start - this.#windowStart
    return this.#window.toString("utf8", at, at + length)
  }

  #field(position: number, end: number): ProtobufField {
    const [tag, afterTag] = this.#varint(position, end)
    const number = Math.floor(tag / 8)
    if (number === 0) throw this.fail("it is not an ONNX file")
    switch (tag % 8) {
      case VARINT: {
        const [value, after] = this.#varint(afterTag, end)
        return { number, value, start: after, end: after }
      }
      case LENGTH: {
        const [length, after] = this.#varint(afterTag, end)
        return { number, value: 0, start: after, end: this.#within(after + length, end) }
      }
      case FIXED32:
        return { number, value: 0, start: afterTag, end: this.#within(afterTag + 4, end) }
      case FIXED64:
        return { number, value: 0, start: afterTag, end: this.#within(afterTag + 8, end) }
      default:
        throw this.fail("it is not an ONNX file")
    }
  }

  #within(position: number, end: number): number {
    if (position <= end) return position
    throw this.fail(
      end === this.size ? "it is cut short" : "it is damaged: a part reaches past the end of its parent",
    )
  }

  /** The value, and the offset after it. */
  #varint(start: number, end: number): [value: number, after: number] {
    let value = 0
    let factor = 1
    for (let position = start; position < end && position < start + 10; position++) {
      const byte = this.#window[position - this.#windowStart] ?? 0
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return [value, position + 1]
      factor *= 128
    }
    throw this.fail("it is cut short, or not an ONNX file")
  }

  #holds(position: number, length: number): boolean {
    return position >= this.#windowStart && position + length <= this.#windowEnd
  }

  async #fill(position: number): Promise<void> {
    const length = Math.min(WINDOW_BYTES, this.size - position)
    await this.#readAt(position, this.#window.subarray(0, length))
    this.#windowStart = position
    this.#windowEnd = position + length
  }

  async #readAt(position: number, target: Buffer): Promise<Buffer> {
    const { bytesRead } = await this.#file.read(target, 0, target.length, position)
    if (bytesRead < target.length) throw this.fail("it is cut short")
    return target
  }
}
