import type { ModelDetails } from "../../domain/model"
import { UsageError } from "../../errors/cli"
import { InvalidModelFile } from "../../errors/model"
import { readGgufHeader } from "../../formats/gguf/read"
import type { GgufTensorInfo } from "../../formats/gguf/types"
import { modelOfFile } from "../../store/local/scan"
import type { ProjectorFacts } from "./show-text"

/** All tensors of a text model, from all its files. @throws UsageError for other models */
export function readTensors({ kind, name, path }: ModelDetails): readonly GgufTensorInfo[] {
  if (kind !== "text")
    throw new UsageError(`model '${name}' is not a text model: its tensors cannot be shown`)
  return modelOfFile(path).paths.flatMap((part) => readGgufHeader(part).tensors)
}

/** The facts in a projector's file; `undefined` if it cannot be read. */
export function readProjector(path: string): ProjectorFacts | undefined {
  try {
    const { metadata, tensors } = readGgufHeader(path)
    const number = (key: string) =>
      Number(metadata.get(`clip.vision.${key}`) ?? metadata.get(`clip.audio.${key}`) ?? 0)
    return {
      architecture: String(metadata.get("general.architecture") ?? "unknown"),
      parameterCount: tensors.reduce((sum, { elements }) => sum + elements, 0),
      embeddingLength: number("embedding_length"),
      dimensions: number("projection_dim"),
    }
  } catch (error) {
    if (error instanceof InvalidModelFile) return undefined
    throw error
  }
}
