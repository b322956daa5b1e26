import { Elysia } from "elysia"
import type { ModelDetails } from "../../domain/model"
import type { Engine } from "../../engine/contract"

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
 * GET /models, in llama-server's form: one entry for each model, with all its names and whether it is loaded, and the
 * same once more under `models`. `list`: every model's entries in the dialect whose list it is otherwise, by its names.
 */
export function nativeModelRoutes(engine: Engine, list: () => Promise<readonly (readonly ListedModel[])[]>) {
  return new Elysia({ name: "llama-server-models" }).get("/models", async () => {
    const entries = await list()
    const data = entries.flatMap(([own, ...others]) =>
      own === undefined
        ? []
        : {
            ...own,
            aliases: [own, ...others].map(({ id }) => id),
            tags: [],
            status: statusOf(engine, own.id),
          },
    )
    const details = await Promise.all(
      data.map(async ({ id }) => await engine.show(id).catch(() => undefined)),
    )
    return {
      models: details.flatMap((model) => (model === undefined ? [] : toModel(model))),
      object: "list",
      data,
    }
  })
}

function statusOf(engine: Engine, name: string) {
  const states = engine.loaded().flatMap((model) => (model.name === name ? model.state : []))
  if (states.includes("ready")) return { value: "loaded" }
  if (states.includes("loading")) return { value: "loading" }
  const isFailed = engine.status().failed.some((model) => model.name === name)
  return { value: "unloaded", ...(isFailed && { failed: true }) }
}

/** Like an entry of Ollama's list; llama-server leaves most of it empty. */
function toModel(model: ModelDetails) {
  const isText = model.kind === "text" || model.kind === "embedding"
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
    parameters: isText ? String(model.parameterCount) : "",
    details: {
      parent_model: "",
      format: isText ? "gguf" : "",
      family: isText ? model.architecture : "",
      families: isText ? [model.architecture] : [],
      parameter_size: isText ? String(model.parameterCount) : "",
      quantization_level: isText ? model.quantization : "",
    },
  }
}
