import { Elysia } from "elysia"
import type { ChatRequest, CompletionRequest } from "../../domain/chat"
import type { Engine } from "../../engine/contract"
import { InvalidRequest } from "../../errors/request"
import { abortControllerFor } from "../context/consume"
import { mayBeSilent } from "../context/idle"
import { requestContextOf } from "../context/request-context"
import { Fields } from "../read/fields"
import { type HeaderOptions, readHeaderOptions } from "../read/headers"
import { type JsonObject, readJsonObject } from "../read/body/json-body"
import { type MediaContext, readingMedia } from "../read/media/media-intake"
import type { MediaSink } from "../read/media/media-sink"
import { readModel } from "../read/options"
import { type RenderBody, toRenderBody } from "./bodies/render"
import type { StopBody } from "./bodies/stop"

/** Reads the body of a chat or completion request. @throws InvalidRequest, Unsupported */
export type ReadGeneration = (
  body: JsonObject,
  headers: HeaderOptions,
  media: MediaSink,
) => ChatRequest | CompletionRequest

export interface GenerationContext extends MediaContext {
  readonly engine: Engine
}

/**
 * POST /v0/stop and /v0/render. `readGeneration` belongs to the dialect whose requests are rendered: a prompt is
 * shown exactly as that dialect would run it, with its defaults.
 */
export function controlRoutes(context: GenerationContext, readGeneration: ReadGeneration) {
  const { engine } = context
  return new Elysia({ name: "v0-control" })
    .post(
      "/v0/stop",
      async ({ request, server }): Promise<StopBody> => {
        const model = readModel(new Fields(await readJsonObject(request)))
        if (model === undefined) throw new InvalidRequest("model is required", "model")
        mayBeSilent(request, server)
        return { model, stopped: await stop(engine, model) }
      },
      { parse: "none" },
    )
    .post(
      "/v0/render",
      async ({ request, server }): Promise<RenderBody> => {
        const generation = await readingMedia(context, request, (body, media) =>
          readGeneration(body, readHeaderOptions(request), media),
        )
        mayBeSilent(request, server)
        requestContextOf(request).found((await engine.resolve(generation.model, generation.kind)).name)
        return toRenderBody(await engine.render(generation, abortControllerFor(request).signal))
      },
      { parse: "none" },
    )
}

/** @throws ModelNotFound if there is no such model, loaded or not */
async function stop(engine: Engine, model: string): Promise<boolean> {
  if (await engine.stop(model)) return true
  await engine.show(model)
  return false
}
