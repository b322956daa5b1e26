import { type GgufDetails, isGguf, type ModelDetails, type ModelSummary } from "../../domain/model"
import type { Engine } from "../../engine/contract"
import { mapSome } from "../../lib/async/map-some"
import { formatCount } from "../../lib/text/count"

/** Models whose descriptions are kept; more are read again. */
const REMEMBERED = 4096

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

/** Descriptions of models that Ollama has too, by id. Clients poll lists, and reading hundreds of files each time takes long. */
export class ListedModels {
  readonly #engine: Engine
  readonly #byId = new Map<string, GgufDetails | undefined>()

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Those of `models` that llama.cpp runs and that can be read. Ollama's clients take every model for one. */
  async describe(
    models: readonly ModelSummary[],
  ): Promise<readonly (readonly [ModelSummary, GgufDetails])[]> {
    const described = await mapSome(
      models.filter(isGguf),
      async (model) => [model, await this.#describe(model)] as const,
    )
    return described.flatMap(([model, details]) => (details === undefined ? [] : [[model, details] as const]))
  }

  async #describe(model: ModelSummary): Promise<GgufDetails | undefined> {
    if (this.#byId.has(model.id)) return this.#byId.get(model.id)
    // One whose files were just removed, or cannot be read, is not listed.
    const details: ModelDetails | undefined = await this.#engine.show(model.name).catch(() => undefined)
    if (details === undefined || !isGguf(details)) return undefined
    if (this.#byId.size >= REMEMBERED) this.#byId.clear()
    this.#byId.set(model.id, details)
    return details
  }
}
