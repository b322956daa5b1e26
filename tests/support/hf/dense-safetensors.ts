import { writeFileSync } from "node:fs"

type DenseType = "F32" | "F16" | "BF16" | "F8_E4M3" | "F8_E5M2" | "U8"

/** A tensor with all of its numbers. */
export interface DenseTensor {
  readonly name: string
  /** The last dimension is contiguous in memory. */
  readonly shape: readonly number[]
  readonly values: Float32Array
  /** Absent: BF16. For types of 8 bits, the values are bytes. */
  readonly dtype?: DenseType
}

/** Writes a safetensors file whose header has the tensors in the given order. */
export function writeDenseSafetensors(path: string, tensors: readonly DenseTensor[]): void {
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } }
  const payloads: Uint8Array[] = []
  let size = 0
  for (const { name, shape, values, dtype = "BF16" } of tensors) {
    const bytes = encode(values, dtype)
    header[name] = { dtype, shape, data_offsets: [size, size + bytes.length] }
    size += bytes.length
    payloads.push(bytes)
  }
  const text = Buffer.from(JSON.stringify(header))
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, " ")])
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  writeFileSync(path, Buffer.concat([length, padded, ...payloads]))
}

function encode(values: Float32Array, dtype: DenseType): Uint8Array {
  if (dtype === "F32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  if (dtype === "F16") return new Uint8Array(new Float16Array(values).buffer)
  if (dtype !== "BF16") return Uint8Array.from(values)
  // Cut instead of rounded: the tests need some numbers, not the nearest ones.
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  return new Uint8Array(Uint16Array.from(bits, (each) => each >>> 16).buffer)
}
