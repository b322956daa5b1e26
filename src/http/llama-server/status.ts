import { Elysia } from "elysia"
import type { LoadedTextInfo } from "../../domain/loaded-model"
import type { ModelDetails, TextModelDetails } from "../../domain/model"
import type { Engine } from "../../engine/contract"
import { InvalidRequest, NotChangeable } from "../../errors/request"
import { WrongModelKind } from "../../errors/model"
import { abortControllerFor } from "../context/consume"
import { mayBeSilent } from "../context/idle"
import { Fields } from "../read/fields"
import { readJsonObject } from "../read/body/json-body"
import { readModel } from "../read/options"
import { toProperties, toRouterProperties } from "./properties"

export interface ServerStatusContext {
  readonly engine: Engine
  readonly version: string
}

/**
 * GET /health, /props and /slots, POST /models/load and /models/unload: the state of the server in
 * llama-server's words. Where several models are there, `?model=` names one.
 */
export function serverStatusRoutes(context: ServerStatusContext) {
  const { engine } = context
  return (
    // Asking for a state loads no model, and keeps none loaded: pages ask all the time.
    new Elysia({ name: "llama-server-status" })
      .get("/health", () => health(engine))
      .get("/v1/health", () => health(engine))
      .get("/props", async ({ request }) => {
        if (await isAboutAll(engine, request)) return toRouterProperties(context.version)
        const model = await textModel(engine, request)
        const facts = {
          contextLength: await contextOf(engine, model),
          settings: await engine.settings(model.name),
          loaded: loadedInfo(engine, model),
        }
        return toProperties(model, { ...facts, version: context.version })
      })
      .post("/props", () => {
        throw new NotChangeable()
      })
      .get("/slots", async ({ request }) => {
        const model = await textModel(engine, request)
        const slots = slotsOf(engine, model, await contextOf(engine, model))
        const isFull = slots.length > 0 && slots.every(({ is_processing }) => is_processing)
        // For those that send each request to a server with a free slot.
        if (isFull && new URL(request.url).searchParams.has("fail_on_no_slot")) return noSlot()
        return slots
      })
      .post(
        "/models/load",
        async ({ request, server }) => {
          const model = await namedModel(request)
          mayBeSilent(request, server)
          await engine.preload(model, abortControllerFor(request).signal)
          return { success: true }
        },
        { parse: "none" },
      )
      .post(
        "/models/unload",
        async ({ request, server }) => {
          const model = await namedModel(request)
          mayBeSilent(request, server)
          await engine.show(model)
          await engine.stop(model)
          return { success: true }
        },
        { parse: "none" },
      )
  )
}

/** @throws InvalidRequest */
async function namedModel(request: Request): Promise<string> {
  const model = readModel(new Fields(await readJsonObject(request)))
  if (model === undefined) throw new InvalidRequest("model is required", "model")
  return model
}

function health(engine: Engine): Response {
  const { status } = engine.status()
  if (status !== "starting" && status !== "stopping") return Response.json({ status: "ok" })
  const message = status === "starting" ? "Loading model" : "the server is stopping"
  return Response.json({ error: { code: 503, message, type: "unavailable_error" } }, { status: 503 })
}

function noSlot(): Response {
  const error = { code: 503, message: "no slot available", type: "unavailable_error" }
  return Response.json({ error }, { status: 503 })
}

/** Is no model named, and is there not exactly one that could be meant? */
async function isAboutAll(engine: Engine, request: Request): Promise<boolean> {
  if (new URL(request.url).searchParams.has("model")) return false
  return (await engine.list()).filter(({ kind }) => kind === "text").length !== 1
}

/** The model in `?model=`, or the only text model. @throws ModelNotFound, InvalidRequest, WrongModelKind */
async function textModel(engine: Engine, request: Request): Promise<TextModelDetails> {
  const asked = new URL(request.url).searchParams.get("model") ?? undefined
  const details: ModelDetails = await engine.show((await engine.resolve(asked, "chat")).name)
  if (details.kind !== "text") throw new WrongModelKind(details.name, details.kind)
  return details
}

async function contextOf(engine: Engine, model: TextModelDetails): Promise<number> {
  return (await engine.contextLengths([model])).get(model.name)?.served ?? model.contextLength
}

function slotsOf(engine: Engine, model: TextModelDetails, contextLength: number) {
  const workers = engine.loaded().filter(({ name }) => name === model.name)
  const busy = workers.reduce((sum, { activeRequests }) => sum + activeRequests, 0)
  const count = loadedInfo(engine, model)?.slots ?? 0
  // Requests move between sequences; only how many are at work is known from outside.
  return Array.from({ length: count }, (_, id) => ({
    id,
    n_ctx: contextLength,
    speculative: false,
    is_processing: id < busy,
  }))
}

function loadedInfo(engine: Engine, model: TextModelDetails): LoadedTextInfo | undefined {
  const infos = engine.loaded().filter(({ name }) => name === model.name)
  const info = infos.find(({ info: each }) => each !== undefined)?.info
  return info?.kind === "text" ? info : undefined
}
