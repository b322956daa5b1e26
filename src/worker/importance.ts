import { basename } from "node:path"
import type { ImportanceOptions } from "../domain/quantize"
import { InvalidModelFile } from "../errors/model"
import { FileFailed } from "../errors/store"
import type { GgufField } from "../formats/gguf/encode"
import { type GgufTensorSource, writeGgufModel } from "../formats/gguf/write"
import { readBounded } from "../lib/system/read-bounded"
import { CONVERT } from "../limits"
import { Activations, type ActivationSums } from "../llama/activations"
import type { Library } from "../llama/library"
import { Model } from "../llama/model"
import { threadCount, usableCores } from "./cores"

export interface ImportanceJob {
  readonly library: Library
  readonly paths: readonly string[]
  readonly target: string
  readonly options: ImportanceOptions
  readonly onProgress: (done: number, total: number) => void
}

/** llama.cpp needs some text at least: as much as its own tool wants. */
const FEWEST_CHUNKS = 2

/**
 * Evaluates a text in pieces, and writes the importance matrix in llama.cpp's format.
 * @returns false where llama.cpp refuses the model
 * @throws InvalidModelFile for a model that generates no text, or a text that is too short; FileFailed
 */
export async function collectImportance(job: ImportanceJob): Promise<boolean> {
  const { library, paths, target, options, onProgress } = job
  const [path = "", ...others] = paths
  const text = await readText(options.text)
  using model = Model.load(
    library,
    path,
    {
      gpuLayers: options.gpuLayers ?? null,
      splitMode: "layer",
      tensorSplit: null,
      devices: null,
      memoryMap: true,
      memoryLock: false,
    },
    others,
  )
  if (model === undefined) return false
  if (!model.generatesText) throw new InvalidModelFile(path, "it is not a model that generates text")
  const { chunkTokens } = options
  const { vocabulary } = model
  const tokens = vocabulary.tokenize(text, { addSpecial: true, parseSpecial: options.parseSpecial })
  if (tokens.length < FEWEST_CHUNKS * chunkTokens)
    throw new InvalidModelFile(
      options.text,
      `the text has ${tokens.length} tokens, and at least ${FEWEST_CHUNKS * chunkTokens} are needed`,
    )
  const chunks = Math.min(
    Math.floor(tokens.length / chunkTokens),
    options.maxChunks ?? Number.POSITIVE_INFINITY,
  )
  using activations = new Activations(model, {
    ...options,
    threads: threadCount(options.threads ?? usableCores()),
  })
  for (let chunk = 0; chunk < chunks; chunk++) {
    const piece = tokens.slice(chunk * chunkTokens, (chunk + 1) * chunkTokens)
    // Each piece is evaluated as if it were the beginning.
    if (vocabulary.addsBos) piece[0] = vocabulary.bos
    activations.evaluate(piece)
    onProgress(chunk + 1, chunks)
    // The progress is on its way before the next piece blocks.
    await Bun.sleep(0)
  }
  const fields: readonly GgufField[] = [
    ["general.type", { type: "string", value: "imatrix" }],
    ["imatrix.datasets", { type: "array", elementType: "string", values: [basename(options.text)] }],
    ["imatrix.chunk_count", { type: "u32", value: chunks }],
    ["imatrix.chunk_size", { type: "u32", value: chunkTokens }],
  ]
  await writeGgufModel(target, fields, activations.sums().flatMap(tensorsOf))
  return true
}

async function readText(path: string): Promise<string> {
  const bytes = await readBounded(path, CONVERT.importanceBytes).catch((error: unknown) => {
    throw new FileFailed("read", path, error)
  })
  if (bytes === undefined)
    throw new InvalidModelFile(path, `the text is larger than ${CONVERT.importanceBytes} bytes`)
  const text = new TextDecoder().decode(bytes)
  // As llama.cpp's tool reads it.
  return text.endsWith("\n") ? text.slice(0, -1) : text
}

function tensorsOf({ name, columns, values, counts }: ActivationSums): readonly GgufTensorSource[] {
  return [
    floats(`${name}.in_sum2`, values, [columns, values.length / columns]),
    floats(`${name}.counts`, counts, [1, counts.length]),
  ]
}

function floats(name: string, values: Float32Array, shape: readonly number[]): GgufTensorSource {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  return {
    name,
    type: "F32",
    shape,
    bytes: bytes.length,
    async *data() {
      yield bytes
    },
  }
}
