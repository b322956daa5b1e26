import { symlink } from "node:fs/promises"
import { basename, join } from "node:path"
import { findQuantization, type Quantization } from "../../domain/quantization"
import { InvalidRequest } from "../../errors/request"
import { splitFileName } from "../../formats/gguf/split"
import { readGgufHeader } from "../../formats/gguf/read"
import type { CreateEvent } from "./create"
import type { SourceFile } from "./sources"

/** Has weights written with fewer bits, in a process of its own. */
export interface WeightQuantizer {
  readonly type: Quantization
  /** @throws QuantizationFailed, Cancelled */
  run(
    source: string,
    target: string,
    options: { report(done: number, total: number): void; readonly signal: AbortSignal | undefined },
  ): Promise<void>
}

/**
 * The quantization that a create asks for.
 * @throws InvalidRequest for one that there is not, or that needs an importance matrix, which has no place here
 */
export function creationQuantization(given: string): Quantization {
  const type = findQuantization(given)
  if (type === undefined)
    throw new InvalidRequest(
      `quantize: there is no quantization '${given.slice(0, 40)}'; Q4_K_M is the usual one`,
      "quantize",
    )
  if (type.needsImatrix) {
    const how = "quantize a file with 'xllm quantize --imatrix', and create the model from it"
    throw new InvalidRequest(`quantize: ${type.name} needs an importance matrix; ${how}`, "quantize")
  }
  return type
}

/**
 * Quantizes the weights in `paths`, the files of one model in order, into `folder`. Returns the new file; undefined if
 * they are of the wanted type already.
 */
export async function quantizeWeights(
  paths: readonly string[],
  folder: string,
  quantizer: WeightQuantizer,
  report: (event: CreateEvent) => void,
  signal: AbortSignal | undefined,
): Promise<SourceFile | undefined> {
  const { type } = quantizer
  const [first = ""] = paths
  if (readGgufHeader(first).metadata.get("general.file_type") === type.fileType) return undefined
  report({ type: "status", status: `quantizing the weights to ${type.name}` })
  const name = `model-${type.name}.gguf`
  const target = join(folder, name)
  await quantizer.run(paths.length === 1 ? first : await linkedParts(paths, folder), target, {
    report: (doneBytes, totalBytes) => report({ type: "progress", file: name, doneBytes, totalBytes }),
    signal,
  })
  return { name: basename(target), role: "model", path: target }
}

/** llama.cpp finds the files of a split model by their names, which blobs do not have. Returns the first one's path. */
async function linkedParts(paths: readonly string[], folder: string): Promise<string> {
  const parts = paths.map((_, index) =>
    join(folder, splitFileName({ stem: "source", parts: paths.length }, index + 1)),
  )
  for (const [index, path] of paths.entries()) await symlink(path, parts[index] ?? "")
  return parts[0] ?? ""
}
