import { type GgufDetails, isGguf, type ModelSummary } from "../../domain/model"
import { mapSome } from "../../lib/async/map-some"
import { formatCount } from "../../lib/text/count"
import type { ModelDescriptions } from "../context/model-descriptions"

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

/** Those of `models` that llama.cpp runs and that can be read. Ollama's clients take every model for one. */
export async function describeListed(
  models: readonly ModelSummary[],
  descriptions: ModelDescriptions,
): Promise<readonly (readonly [ModelSummary, GgufDetails])[]> {
  const described = await mapSome(
    models.filter(isGguf),
    async (model) => [model, await descriptions.of(model)] as const,
  )
  return described.flatMap(([model, details]) =>
    details !== undefined && isGguf(details) ? [[model, details] as const] : [],
  )
}
