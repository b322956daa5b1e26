import { writeFileSync } from "node:fs"

/** A metadata value and the type to write it as. */
export type GgufEntry =
  | readonly [key: string, type: "u16" | "u32" | "i32" | "f32", value: number]
  | readonly [key: string, type: "u64", value: bigint]
  | readonly [key: string, type: "bool", value: boolean]
  | readonly [key: string, type: "string", value: string]
  | readonly [key: string, type: "strings", value: readonly string[]]
  | readonly [key: string, type: "i32s" | "f32s", value: readonly number[]]
  | readonly [key: string, type: "bools", value: readonly boolean[]]

/** A tensor; `shape` starts with the dimension that is contiguous in memory, as in the file. */
export interface GgufTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly type: "f32" | "q8_0"
  readonly values: Float32Array
}

/** Type numbers of the file format (ggml's `gguf.h`). */
const VALUE_TYPES = { u16: 2, u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9, u64: 10 }
const TENSOR_TYPES = { f32: 0, q8_0: 8 }
const ALIGNMENT = 32
const VERSION = 3

/** Writes a little-endian GGUF version 3 file. */
export function writeGguf(path: string, entries: readonly GgufEntry[], tensors: readonly GgufTensor[]): void {
  const payloads = tensors.map((tensor) => pad(encodeTensor(tensor)))
  writeFileSync(path, Buffer.concat([pad(encodeHeader(entries, tensors, payloads)), ...payloads]))
}

function encodeHeader(
  entries: readonly GgufEntry[],
  tensors: readonly GgufTensor[],
  payloads: readonly Uint8Array[],
): Buffer {
  const parts = [Buffer.from("GGUF"), u32(VERSION), u64(tensors.length), u64(entries.length)]
  for (const entry of entries) parts.push(encodeString(entry[0]), ...encodeValue(entry))
  let offset = 0
  tensors.forEach((tensor, index) => {
    parts.push(encodeString(tensor.name), u32(tensor.shape.length), ...tensor.shape.map(u64))
    parts.push(u32(TENSOR_TYPES[tensor.type]), u64(offset))
    offset += payloads[index]?.length ?? 0
  })
  return Buffer.concat(parts)
}

function encodeValue(entry: GgufEntry): Buffer[] {
  switch (entry[1]) {
    case "u16":
      return [u32(VALUE_TYPES.u16), Buffer.of(entry[2] & 0xff, entry[2] >> 8)]
    case "u32":
      return [u32(VALUE_TYPES.u32), u32(entry[2])]
    case "i32":
      return [u32(VALUE_TYPES.i32), i32(entry[2])]
    case "f32":
      return [u32(VALUE_TYPES.f32), f32(entry[2])]
    case "u64":
      return [u32(VALUE_TYPES.u64), u64(entry[2])]
    case "bool":
      return [u32(VALUE_TYPES.bool), Buffer.of(Number(entry[2]))]
    case "string":
      return [u32(VALUE_TYPES.string), encodeString(entry[2])]
    case "strings":
      return [...arrayHead(VALUE_TYPES.string, entry[2]), ...entry[2].map(encodeString)]
    case "i32s":
      return [...arrayHead(VALUE_TYPES.i32, entry[2]), ...entry[2].map(i32)]
    case "f32s":
      return [...arrayHead(VALUE_TYPES.f32, entry[2]), ...entry[2].map(f32)]
    case "bools":
      return [...arrayHead(VALUE_TYPES.bool, entry[2]), Buffer.from(entry[2].map(Number))]
  }
}

function arrayHead(elementType: number, values: readonly unknown[]): Buffer[] {
  return [u32(VALUE_TYPES.array), u32(elementType), u64(values.length)]
}

function encodeTensor(tensor: GgufTensor): Uint8Array {
  if (tensor.type === "q8_0") return quantizeQ8(tensor.values)
  return new Uint8Array(tensor.values.buffer, tensor.values.byteOffset, tensor.values.byteLength)
}

/** ggml's Q8_0: blocks of 32 values, a half-precision scale and 32 signed bytes each. */
function quantizeQ8(values: Float32Array): Uint8Array {
  const blocks = values.length / 32
  const bytes = new DataView(new ArrayBuffer(blocks * 34))
  for (let block = 0; block < blocks; block++) {
    const slice = values.subarray(block * 32, block * 32 + 32)
    const scale = slice.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127
    bytes.setFloat16(block * 34, scale, true)
    slice.forEach((value, index) =>
      bytes.setInt8(block * 34 + 2 + index, scale === 0 ? 0 : Math.round(value / scale)),
    )
  }
  return new Uint8Array(bytes.buffer)
}

function encodeString(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([u64(bytes.length), bytes])
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return bytes
}

function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function pad(bytes: Uint8Array): Uint8Array {
  const missing = -bytes.length & (ALIGNMENT - 1)
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)])
}
