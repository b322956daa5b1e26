import { Elysia } from "elysia"
import type { GgufDetails } from "../../domain/model"
import type { Engine } from "../../engine/contract"
import { describeListed, type ModelDescriptions } from "../context/model-descriptions"

/** An entry of another dialect's list. */
interface ListedModel {
  readonly id: string
}

/** What llama-server calls what a model can do. */
const CAPABILITIES: Readonly<Record<string, string>> = {
  completion: "completion",
  embedding: "embedding",
  rerank: "rerank",
  vision: "multimodal",
}

/**
 * GET /models, in llama-server's form: one entry for each model, with all its names and whether it is loaded, and those that
 * llama.cpp runs once more under `models`. `list`: every model's entries in the dialect whose list it is otherwise, by its names.
 */
export function nativeModelRoutes(
  engine: Engine,
  descriptions: ModelDescriptions,
  list: () => Promise<readonly (readonly ListedModel[])[]>,
) {
  return new Elysia({ name: "llama-server-models" }).get("/models", async () => {
    const entries = await list()
    const described = await describeListed(await engine.list(), descriptions)
    const statusOf = statuses(engine)
    const data = entries.flatMap(([own, ...others]) => {
      if (own === undefined) return []
      const aliases = [own, ...others].map(({ id }) => id)
      return { ...own, aliases, tags: [], status: statusOf(own.id) }
    })
    return { models: described.map(([, details]) => toModel(details)), object: "list", data }
  })
}

/** The present status of each model, by name. */
function statuses(engine: Engine): (name: string) => Readonly<Record<string, unknown>> {
  const loaded = Map.groupBy(engine.loaded(), ({ name }) => name)
  const failed = new Set(engine.status().failed.map(({ name }) => name))
  return (name) => {
    const states = loaded.get(name)?.map(({ state }) => state) ?? []
    if (states.includes("ready")) return { value: "loaded" }
    if (states.includes("loading")) return { value: "loading" }
    return { value: "unloaded", ...(failed.has(name) && { failed: true }) }
  }
}

/** Like an entry of Ollama's list; llama-server leaves most of it empty. */
function toModel(model: GgufDetails) {
  return {
    name: model.name,
    model: model.name,
    modified_at: model.modifiedAt.toISOString(),
    size: String(model.sizeBytes),
    digest: "",
    type: "model",
    description: "",
    tags: [],
    capabilities: model.capabilities.flatMap((name) => CAPABILITIES[name] ?? []),
    parameters: String(model.parameterCount),
    details: {
      parent_model: "",
      format: "gguf",
      family: model.architecture,
      families: [model.architecture],
      parameter_size: String(model.parameterCount),
      quantization_level: model.quantization,
    },
  }
}
