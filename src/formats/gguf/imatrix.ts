import { closeSync, openSync, readSync } from "node:fs"
import { InvalidModelFile } from "../../errors/model"
import { formatSize } from "../../lib/text/bytes"
import { readGgufHeader } from "./read"
import type { GgufHeader, GgufTensorInfo } from "./types"

/** Sums of squares of what reached each column of a weight, and how many times: llama-imatrix's GGUF form. */
const SUMS = ".in_sum2"
const COUNTS = ".counts"

/** Far above what a model with hundreds of experts in hundreds of layers has. */
const MAX_BYTES = 8 * 1024 ** 3

/**
 * Reads an importance matrix: for each weight how much its columns matter, one row after another for its experts. The
 * columns of an expert that was never used all matter equally.
 * @throws InvalidModelFile if the file is none, or damaged; the system's error if it cannot be opened
 */
export function readImatrix(path: string): Map<string, Float32Array> {
  const header = readGgufHeader(path)
  if (header.metadata.get("general.type") !== "imatrix")
    throw new InvalidModelFile(
      path,
      "it is not an importance matrix in GGUF form, as llama-imatrix writes it",
    )
  const total = header.tensors.reduce((sum, { bytes = 0 }) => sum + bytes, 0)
  if (total > MAX_BYTES)
    throw new InvalidModelFile(
      path,
      `it is larger than ${formatSize(MAX_BYTES)}, the largest importance matrix`,
    )
  const tensors = new Map(header.tensors.map((tensor) => [tensor.name, tensor]))
  const file = openSync(path, "r")
  try {
    const result = new Map<string, Float32Array>()
    for (const [name, sums] of tensors) {
      if (!name.endsWith(SUMS)) continue
      const weight = name.slice(0, -SUMS.length)
      const counts = tensors.get(weight + COUNTS)
      if (counts === undefined) throw new InvalidModelFile(path, `'${name}' has no counts`)
      const values = readFloats(file, path, header, sums)
      result.set(weight, divided(values, readFloats(file, path, header, counts), path, name))
    }
    if (result.size === 0) throw new InvalidModelFile(path, "there is no weight in it")
    return result
  } finally {
    closeSync(file)
  }
}

function readFloats(
  file: number,
  path: string,
  { dataOffset }: GgufHeader,
  tensor: GgufTensorInfo,
): Float32Array {
  if (tensor.type.name !== "F32" || tensor.bytes === undefined)
    throw new InvalidModelFile(path, `'${tensor.name}' is of type ${tensor.type.name}, not F32`)
  const values = new Float32Array(tensor.elements)
  const bytes = new Uint8Array(values.buffer)
  if (readSync(file, bytes, 0, bytes.length, dataOffset + tensor.offset) !== bytes.length)
    throw new InvalidModelFile(path, `it ends within '${tensor.name}'`)
  return values
}

/** The mean of each column, of each expert. Changes `sums`. */
function divided(sums: Float32Array, counts: Float32Array, path: string, name: string): Float32Array {
  const columns = sums.length / counts.length
  if (!Number.isInteger(columns)) throw new InvalidModelFile(path, `'${name}' does not fit its counts`)
  for (const [expert, count] of counts.entries()) {
    const row = sums.subarray(expert * columns, (expert + 1) * columns)
    if (count > 0) for (let column = 0; column < columns; column++) row[column] = (row[column] ?? 0) / count
    else row.fill(1)
  }
  if (!sums.every(Number.isFinite))
    throw new InvalidModelFile(path, `'${name}' has values that are no numbers`)
  return sums
}
