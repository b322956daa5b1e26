import type { GgufDetails } from "../../domain/model"
import { formatCount } from "../../lib/text/count"

/** The common description of a model in Ollama's lists. */
export interface DetailsBody {
  readonly parent_model: string
  readonly format: string
  readonly family: string
  readonly families: readonly string[]
  readonly parameter_size: string
  readonly quantization_level: string
  readonly context_length: number
  readonly embedding_length: number
}

export function toDetailsBody(model: GgufDetails): DetailsBody {
  return {
    parent_model: "",
    format: "gguf",
    family: model.architecture,
    families: [model.architecture],
    parameter_size: formatCount(model.parameterCount),
    quantization_level: model.quantization,
    context_length: model.contextLength,
    embedding_length: model.embeddingLength,
  }
}

/** A name as Ollama shows it: always with a tag. */
export function taggedName(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1).includes(":") ? name : `${name}:latest`
}
