import { ARRAY_TYPE, type GgufScalar, type GgufScalarType, scalarTypeId, tensorTypeId } from "./types"

/** A metadata value with the type that it is written as. */
export type GgufTyped =
  | { readonly type: GgufScalarType; readonly value: GgufScalar }
  | {
      readonly type: "array"
      readonly elementType: GgufScalarType
      readonly values: ArrayLike<GgufScalar>
    }

/** A metadata key with its value. */
export type GgufField = readonly [key: string, value: GgufTyped]

/** The description of a tensor in a header. */
export interface GgufTensorEntry {
  readonly name: string
  /** The contiguous dimension first. */
  readonly shape: readonly number[]
  /** The name of the tensor type, such as `F16`. */
  readonly type: string
  readonly bytes: number
}

const VERSION = 3
const FIRST_BYTES = 64 * 1024

/**
 * The header of a little-endian GGUF file of version 3, padded so that the tensor data follows it directly. Each tensor
 * starts at a multiple of `alignment`.
 */
export function encodeGgufHeader(
  fields: readonly GgufField[],
  tensors: readonly GgufTensorEntry[],
  alignment: number,
): Uint8Array {
  const out = new ByteWriter()
  out.ascii("GGUF")
  out.u32(VERSION)
  out.u64(tensors.length)
  out.u64(fields.length)
  for (const [key, value] of fields) {
    out.string(key)
    writeValue(out, value)
  }
  let offset = 0
  for (const { name, shape, type, bytes } of tensors) {
    out.string(name)
    out.u32(shape.length)
    for (const size of shape) out.u64(size)
    out.u32(tensorTypeId(type))
    out.u64(offset)
    offset += alignedSize(bytes, alignment)
  }
  out.zeros(alignedSize(out.length, alignment) - out.length)
  return out.bytes()
}

/** `bytes` and the padding that follows them. */
export function alignedSize(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment
}

function writeValue(out: ByteWriter, value: GgufTyped): void {
  if (value.type !== "array") {
    out.u32(scalarTypeId(value.type))
    return out.scalar(value.type, value.value)
  }
  out.u32(ARRAY_TYPE)
  out.u32(scalarTypeId(value.elementType))
  out.u64(value.values.length)
  for (let index = 0; index < value.values.length; index++)
    out.scalar(value.elementType, value.values[index] ?? 0)
}

/** A growing buffer of little-endian values. */
class ByteWriter {
  #buffer = Buffer.allocUnsafe(FIRST_BYTES)
  length = 0

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.length)
  }

  ascii(text: string): void {
    const at = this.#reserve(text.length)
    this.#buffer.write(text, at, "latin1")
  }

  string(text: string): void {
    // Three bytes at most for each UTF-16 unit.
    const at = this.#reserve(8 + text.length * 3)
    const written = this.#buffer.write(text, at + 8, "utf8")
    this.#buffer.writeBigUInt64LE(BigInt(written), at)
    this.length = at + 8 + written
  }

  u32(value: number): void {
    const at = this.#reserve(4)
    this.#buffer.writeUInt32LE(value, at)
  }

  u64(value: number | bigint): void {
    const at = this.#reserve(8)
    this.#buffer.writeBigUInt64LE(BigInt(value), at)
  }

  zeros(count: number): void {
    const at = this.#reserve(count)
    this.#buffer.fill(0, at, at + count)
  }

  scalar(type: GgufScalarType, value: GgufScalar): void {
    if (type === "string") return this.string(String(value))
    const buffer = () => this.#buffer
    switch (type) {
      case "u8":
        return void this.#put(1, (at) => buffer().writeUInt8(Number(value), at))
      case "i8":
        return void this.#put(1, (at) => buffer().writeInt8(Number(value), at))
      case "u16":
        return void this.#put(2, (at) => buffer().writeUInt16LE(Number(value), at))
      case "i16":
        return void this.#put(2, (at) => buffer().writeInt16LE(Number(value), at))
      case "u32":
        return this.u32(Number(value))
      case "i32":
        return void this.#put(4, (at) => buffer().writeInt32LE(Number(value), at))
      case "f32":
        return void this.#put(4, (at) => buffer().writeFloatLE(Number(value), at))
      case "bool":
        return void this.#put(1, (at) => buffer().writeUInt8(value === true ? 1 : 0, at))
      case "u64":
        return this.u64(BigInt(value))
      case "i64":
        return void this.#put(8, (at) => buffer().writeBigInt64LE(BigInt(value), at))
      case "f64":
        return void this.#put(8, (at) => buffer().writeDoubleLE(Number(value), at))
    }
  }

  #put(bytes: number, write: (at: number) => unknown): void {
    write(this.#reserve(bytes))
  }

  /** Makes room for `count` more bytes, and returns where they begin. */
  #reserve(count: number): number {
    const at = this.length
    if (at + count > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, at + count))
      this.#buffer.copy(larger, 0, 0, at)
      this.#buffer = larger
    }
    this.length = at + count
    return at
  }
}
