import { Elysia } from "elysia"
import type { Engine } from "../../engine/contract"
import { InvalidRequest } from "../../errors/request"
import { breathe } from "../../lib/async/breathe"
import { mapSome } from "../../lib/async/map-some"
import type { ModelDescriptions } from "../context/model-descriptions"
import { requestContextOf } from "../context/request-context"
import { type ModelBody, type ModelDetailsBody, toModelBody, toModelDetailsBody } from "./bodies/model"

export interface ModelListContext {
  readonly engine: Engine
  readonly descriptions: ModelDescriptions
}

/** GET /v0/models and /v0/models/:name: the models on disk, each once, with what is known of it. */
export function modelListRoutes({ engine, descriptions }: ModelListContext) {
  return new Elysia({ name: "v0-models" })
    .get("/v0/models", async (): Promise<{ readonly models: readonly ModelBody[] }> => {
      const models = await engine.list()
      const [contexts, status] = [await engine.contextLengths(models), engine.status()]
      const bodies = await mapSome(models, async (model) => {
        await breathe()
        const details = await descriptions.of(model)
        return toModelBody(model, { details, context: contexts.get(model.name), status })
      })
      return { models: bodies }
    })
    .get("/v0/models/*", async ({ request, params }): Promise<ModelDetailsBody> => {
      const details = await engine.show(decoded(params["*"]))
      requestContextOf(request).found(details.name)
      const context = (await engine.contextLengths([details])).get(details.name)
      return toModelDetailsBody(details, { context, status: engine.status() })
    })
}

/** @throws InvalidRequest */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    throw new InvalidRequest("the model's name is not encoded correctly", "model")
  }
}
