import { ptr } from "bun:ffi"
import type { Library, NativePointer } from "./library"

/** Some of the embeddings that stand for a picture or a sound. */
export interface EmbeddingsSlice {
  /** Of all: the model's input length for each cell. */
  readonly embeddings: Float32Array
  /** Of all: one for each cell, or several rows of them. */
  readonly positions: Int32Array
  /** The slice: its first cell, and how many. */
  readonly first: number
  readonly count: number
  readonly sequence: number
  /** Does each cell depend on all others? The slice must then be all of them. */
  readonly isWhole: boolean
  /** Are the logits of the last one needed? Their index is `count` - 1. */
  readonly output: boolean
}

/** The return code of `llama_decode`. `width`: floats per cell. */
export function decodeEmbeddings(
  { shim, llama }: Library,
  context: NativePointer,
  width: number,
  { embeddings, positions, first, count, sequence, isWhole, output }: EmbeddingsSlice,
): number {
  const outputs = new Int8Array(count)
  if (output) outputs[count - 1] = 1
  const sequences = Int32Array.of(sequence)
  if (isWhole) llama.llama_set_causal_attn(context, false)
  const code = shim.xllm_decode_embeddings(
    context,
    // A number that is kept as a float, as counts from 64-bit fields are, reaches C as 0.
    count | 0,
    embeddings.subarray(first * width, (first + count) * width),
    cutRows(positions, embeddings.length / width, first, count),
    new Int32Array(count).fill(1),
    new BigUint64Array(count).fill(BigInt(ptr(sequences))),
    outputs,
  )
  if (isWhole) llama.llama_set_causal_attn(context, true)
  return code
}

/** The same part of each of several rows. */
function cutRows(values: Int32Array, rowLength: number, first: number, count: number): Int32Array {
  const rows = values.length / rowLength
  const cut = new Int32Array(rows * count)
  for (let row = 0; row < rows; row++) {
    const start = row * rowLength + first
    cut.set(values.subarray(start, start + count), row * count)
  }
  return cut
}
