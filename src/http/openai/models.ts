import { Elysia } from "elysia"
import type { ModelDetails, ModelSummary } from "../../domain"
import { ModelNotFound } from "../../errors"
import type { OpenAiContext } from "./reply"

const MODELS = "/v1/models"

/** GET /v1/models and /v1/models/:id, where an id may have slashes. */
export function modelRoutes({ engine }: OpenAiContext) {
  return new Elysia({ name: "openai-models" })
    .get(MODELS, async () => ({ object: "list", data: (await engine.list()).map(toModel) }))
    .get(`${MODELS}/*`, async ({ params }) => toModelWithMeta(await engine.show(decodeName(params["*"]))))
}

/** The router leaves the rest of a path as it came. */
function decodeName(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    throw new ModelNotFound(encoded)
  }
}

function toModel(model: ModelSummary) {
  return {
    id: model.name,
    object: "model",
    created: Math.floor(model.modifiedAt.getTime() / 1000),
    owned_by: "xllm",
  }
}

/** With what the file says, under llama-server's names where it has one. */
function toModelWithMeta(model: ModelDetails) {
  if (model.kind !== "text") {
    const { sizeBytes: size, capabilities } = model
    return { ...toModel(model), meta: { size, capabilities } }
  }
  return {
    ...toModel(model),
    meta: {
      n_ctx_train: model.contextLength,
      n_embd: model.embeddingLength,
      n_params: model.parameterCount,
      size: model.sizeBytes,
      architecture: model.architecture,
      quantization: model.quantization,
      capabilities: model.capabilities,
    },
  }
}
