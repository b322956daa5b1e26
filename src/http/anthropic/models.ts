import { Elysia } from "elysia"
import type { ModelSummary } from "../../domain/model"
import type { Engine } from "../../engine/contract"
import { pathOf } from "../context/request-context"

/**
 * Answers GET /v1/models in Anthropic's form where its clients ask, which their version header tells. OpenAI's list has
 * the same path.
 */
export function anthropicModels(engine: Engine) {
  return new Elysia({ name: "anthropic-models" }).onRequest(async ({ request }) => {
    if (request.method !== "GET" || pathOf(request) !== "/v1/models") return
    if (!request.headers.has("anthropic-version")) return
    const models = await engine.list()
    const data = models.filter(({ kind }) => kind === "text").map(toModelBody)
    return Response.json({
      data,
      has_more: false,
      first_id: data[0]?.id ?? null,
      last_id: data.at(-1)?.id ?? null,
    })
  })
}

function toModelBody({ name, modifiedAt }: ModelSummary) {
  return { type: "model", id: name, display_name: name, created_at: modifiedAt.toISOString() }
}
