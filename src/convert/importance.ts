import { closeSync, openSync, readSync } from "node:fs"
import { CannotConvert } from "../errors/convert"
import { InvalidModelFile } from "../errors/model"
import { readGgufHeader } from "../formats/gguf/read"
import type { GgufTensorInfo } from "../formats/gguf/types"
import type { Importance } from "../domain/quantize"

const SUMS = ".in_sum2"
const COUNTS = ".counts"

/**
 * The importance matrix in a GGUF, as llama-imatrix writes it: for each tensor the sums of the squares of what it was
 * multiplied with, and how many there were.
 * @throws CannotConvert for another file; InvalidModelFile for a damaged one
 */
export function readImportance(path: string): Importance {
  const header = readGgufHeader(path)
  if (header.metadata.get("general.type") !== "imatrix")
    throw new CannotConvert(path, "it is not an importance matrix; make one with 'xllm imatrix'")
  const tensors = new Map(header.tensors.map((tensor) => [tensor.name, tensor]))
  const file = openSync(path, "r")
  const numbers = ({ name, type, offset, elements, bytes = 0 }: GgufTensorInfo): Float32Array => {
    if (type.name !== "F32") throw new InvalidModelFile(path, `the tensor '${name}' is not of the type F32`)
    const values = new Float32Array(elements)
    const read = readSync(file, values, 0, bytes, header.dataOffset + offset)
    if (read < bytes) throw new InvalidModelFile(path, `the file ends inside the tensor '${name}'`)
    return values
  }
  try {
    const found = header.tensors.flatMap((sums) => {
      if (!sums.name.endsWith(SUMS)) return []
      const name = sums.name.slice(0, -SUMS.length)
      const counts = tensors.get(name + COUNTS)
      if (counts === undefined) throw new InvalidModelFile(path, `the tensor '${name}${COUNTS}' is missing`)
      return [{ name, values: means(numbers(sums), numbers(counts)) }]
    })
    const datasets = header.metadata.get("imatrix.datasets")
    const dataset = typeof datasets === "object" ? datasets.values?.[0] : undefined
    const chunks = header.metadata.get("imatrix.chunk_count")
    return {
      tensors: found,
      file: path,
      ...(typeof dataset === "string" && { dataset }),
      ...(typeof chunks === "number" && chunks > 0 && { chunks }),
    }
  } finally {
    closeSync(file)
  }
}

/** Means of the squares, for each expert by its own count. */
function means(sums: Float32Array, counts: Float32Array): Float32Array {
  const width = sums.length / Math.max(1, counts.length)
  return sums.map((sum, index) => {
    const count = counts[Math.floor(index / width)] ?? 0
    return count > 0 ? sum / count : 1
  })
}
