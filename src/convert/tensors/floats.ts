/** Types of numbers in checkpoints that can be converted. */
export type FloatType = "F32" | "F16" | "BF16" | "F64"

/** Types in which weights are written. */
export type WeightType = "F32" | "F16" | "BF16" | "Q8_0"

export const FLOAT_BYTES: Readonly<Record<FloatType, number>> = { F32: 4, F16: 2, BF16: 2, F64: 8 }

/** TensorValues and bytes of a block of Q8_0. */
const Q8 = { values: 32, bytes: 34 }

export function isFloatType(name: string): name is FloatType {
  return Object.hasOwn(FLOAT_BYTES, name)
}

/** The bytes of `elements` numbers. */
export function weightBytes(type: WeightType, elements: number): number {
  return type === "Q8_0" ? (elements / Q8.values) * Q8.bytes : elements * FLOAT_BYTES[type]
}

/** The largest number of elements that are stored together. */
export function blockElements(type: WeightType): number {
  return type === "Q8_0" ? Q8.values : 1
}

/** `bytes` starts at a multiple of the type's size in its buffer. */
export function toFloat32(bytes: Uint8Array, type: FloatType): Float32Array {
  const { buffer, byteOffset, byteLength } = bytes
  switch (type) {
    case "F32":
      return new Float32Array(buffer, byteOffset, byteLength / 4)
    case "F64":
      return Float32Array.from(new Float64Array(buffer, byteOffset, byteLength / 8))
    case "F16":
      return Float32Array.from(new Float16Array(buffer, byteOffset, byteLength / 2))
    case "BF16": {
      const from = new Uint16Array(buffer, byteOffset, byteLength / 2)
      const to = new Uint32Array(from.length)
      for (let index = 0; index < from.length; index++) to[index] = (from[index] ?? 0) << 16
      return new Float32Array(to.buffer)
    }
  }
}

/** Rounds to the nearest number of the type, ties to even; Q8_0 as ggml's reference does. */
export function fromFloat32(values: Float32Array, type: WeightType): Uint8Array {
  switch (type) {
    case "F32":
      return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    case "F16":
      return new Uint8Array(new Float16Array(values).buffer)
    case "BF16":
      return toBfloat16(values)
    case "Q8_0":
      return quantizeQ8(values)
  }
}

function toBfloat16(values: Float32Array): Uint8Array {
  const from = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const to = new Uint16Array(from.length)
  for (let index = 0; index < from.length; index++) {
    const bits = from[index] ?? 0
    // A NaN stays one, and becomes a quiet one.
    to[index] =
      (bits & 0x7fffffff) > 0x7f800000 ? (bits >>> 16) | 64 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16
  }
  return new Uint8Array(to.buffer)
}

function quantizeQ8(values: Float32Array): Uint8Array {
  const blocks = values.length / Q8.values
  const bytes = new Uint8Array(blocks * Q8.bytes)
  const view = new DataView(bytes.buffer)
  const signed = new Int8Array(bytes.buffer)
  const { fround } = Math
  for (let block = 0; block < blocks; block++) {
    const from = block * Q8.values
    let most = 0
    for (let index = from; index < from + Q8.values; index++) {
      const size = Math.abs(values[index] ?? 0)
      if (size > most) most = size
    }
    const scale = fround(most / 127)
    const inverse = scale === 0 ? 0 : fround(1 / scale)
    const at = block * Q8.bytes
    view.setFloat16(at, scale, true)
    for (let index = 0; index < Q8.values; index++) {
      const scaled = fround((values[from + index] ?? 0) * inverse)
      // Halves are rounded away from zero.
      signed[at + 2 + index] = scaled < 0 ? -Math.floor(0.5 - scaled) : Math.floor(0.5 + scaled)
    }
  }
  return bytes
}
