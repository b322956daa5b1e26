import { open } from "node:fs/promises"
import { basename } from "node:path"
import type { ExternalTensor } from "../../onnx/graph-writer"
import type { Attention, FeedForward, Int8Matrix, Linear, Weight, WhisperWeights } from "./weights"

/** The largest number of a signed byte, without the smallest: both signs have the same range. */
const LARGEST = 127
const FLOAT_BYTES = 4

/** Weights whose matrices are also there in bytes, in a file to be written. */
export interface Int8Weights {
  readonly weights: WhisperWeights
  /** The file's contents, matrix by matrix. */
  write(): AsyncGenerator<Uint8Array>
}

/**
 * Plans a file with the matrices of `weights` rounded to bytes with one scale per output. It takes a quarter of the
 * memory of floats, and the decoder reads all of it for every token. `paths`: of the files with the weights.
 */
export function int8Weights(
  weights: WhisperWeights,
  paths: readonly string[],
  fileName: string,
): Int8Weights {
  const planned: { readonly weight: Weight; readonly matrix: Int8Matrix }[] = []
  let offset = 0
  const place = (type: "float" | "int8", shape: readonly number[], bytes: number): ExternalTensor => {
    const tensor = { type, shape, location: fileName, offset, bytes }
    offset += bytes
    return tensor
  }
  const rounded = (linear: Linear): Linear => {
    const [outputs = 0, inputs = 0] = linear.weight.values.shape
    const int8: Int8Matrix = {
      scale: place("float", [outputs], outputs * FLOAT_BYTES),
      values: place("int8", [inputs, outputs], inputs * outputs),
    }
    planned.push({ weight: linear.weight, matrix: int8 })
    return { ...linear, int8 }
  }
  return {
    weights: withLinears(weights, rounded),
    async *write() {
      for (const { weight, matrix } of planned) yield* roundMatrix(weight, matrix, paths)
    },
  }
}

function withLinears(weights: WhisperWeights, change: (linear: Linear) => Linear): WhisperWeights {
  const attention = (layer: Attention): Attention => ({
    norm: layer.norm,
    query: change(layer.query),
    key: change(layer.key),
    value: change(layer.value),
    output: change(layer.output),
  })
  const feedForward = (layer: FeedForward): FeedForward => ({
    norm: layer.norm,
    inner: change(layer.inner),
    outer: change(layer.outer),
  })
  return {
    ...weights,
    encoder: weights.encoder.map((layer) => ({
      attention: attention(layer.attention),
      feedForward: feedForward(layer.feedForward),
    })),
    decoder: weights.decoder.map((layer) => ({
      selfAttention: attention(layer.selfAttention),
      crossAttention: attention(layer.crossAttention),
      feedForward: feedForward(layer.feedForward),
    })),
    logits: change(weights.logits),
  }
}

/** The scales, and the values with a row per input, as the product needs them. */
async function* roundMatrix(
  { values, scale }: Weight,
  { values: target }: Int8Matrix,
  paths: readonly string[],
): AsyncGenerator<Uint8Array> {
  const [inputs = 0, outputs = 0] = target.shape
  const numbers = await readFloats(values, paths)
  const divisors = scale && (await readFloats(scale, paths))
  const scales = new Float32Array(outputs)
  const bytes = new Int8Array(inputs * outputs)
  for (let row = 0; row < outputs; row++) {
    const from = row * inputs
    let largest = 0
    for (let i = from; i < from + inputs; i++) largest = Math.max(largest, Math.abs(numbers[i] ?? 0))
    const factor = largest === 0 ? 0 : LARGEST / largest
    for (let i = 0; i < inputs; i++) bytes[i * outputs + row] = Math.round((numbers[from + i] ?? 0) * factor)
    const divisor = divisors === undefined ? 1 : (divisors[row] ?? divisors[0] ?? 1)
    scales[row] = largest / LARGEST / divisor
  }
  yield new Uint8Array(scales.buffer)
  yield new Uint8Array(bytes.buffer)
}

async function readFloats(
  { type, location, offset, bytes }: ExternalTensor,
  paths: readonly string[],
): Promise<ArrayLike<number>> {
  const path = paths.find((each) => basename(each) === location) ?? location
  const file = await open(path, "r")
  try {
    const { buffer } = await file.read(Buffer.from(new ArrayBuffer(bytes)), 0, bytes, offset)
    return toFloats(type, buffer.buffer)
  } finally {
    await file.close()
  }
}

function toFloats(type: ExternalTensor["type"], buffer: ArrayBuffer): ArrayLike<number> {
  switch (type) {
    case "float":
      return new Float32Array(buffer)
    case "float16":
      return new Float16Array(buffer)
    case "bfloat16":
      // The upper half of a float.
      return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer)
    case "int8":
      return new Int8Array(buffer)
    case "int16":
      return new Int16Array(buffer)
    case "int32":
      return new Int32Array(buffer)
    case "int64":
      return Array.from(new BigInt64Array(buffer), Number)
    default:
      return type satisfies never
  }
}
