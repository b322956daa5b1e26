import { Elysia } from "elysia"
import { InvalidRequest, RequestNotFound, Unsupported } from "../../errors/request"
import type { XllmError } from "../../errors/base"
import { BODY_BYTES, MODEL_TEXTS, TEXTS } from "../../limits"
import { parseModelName } from "../../store/names"
import { mayBeSilent } from "../context/idle"
import type { ModelLibrary } from "../context/library"
import type { RequestsInProgress } from "../context/requests-in-progress"
import { checkIsOwner, type OwnerReports } from "../context/owner"
import { readJsonObject } from "../read/body/json-body"
import { Fields } from "../read/fields"
import { readModel } from "../read/options"
import { reportProgress } from "../render/progress"
import { toRequestBodies } from "./bodies/activity"
import { createFromText, faultsOfText } from "./create"
import type { Pulls } from "./pulls"

export interface ManagementContext {
  readonly inProgress: RequestsInProgress
  readonly pulls: Pulls
  /** Absent: models cannot be changed here. */
  readonly library: ModelLibrary | undefined
  /** Absent: there is nothing to show. */
  readonly owner: OwnerReports | undefined
}

/** What the sources of models have to answer within. */
const UPDATES_TIMEOUT_MS = 15_000

/**
 * GET and DELETE /v0/requests; GET, POST and DELETE /v0/pulls; POST /v0/create, GET /v0/updates, /v0/settings and
 * /v0/log: the owner's view of the server. All but the list of requests take a key, or a client on this machine.
 */
export function managementRoutes({ inProgress, pulls, library, owner }: ManagementContext) {
  return new Elysia({ name: "v0-management" })
    .get("/v0/requests", () => ({ requests: toRequestBodies(inProgress.working) }))
    .delete("/v0/requests/:id", ({ request, server, params }) => {
      checkIsOwner(request, server)
      const { id } = params
      if (!inProgress.stop(id)) throw new RequestNotFound(id)
      return { id, stopped: true }
    })
    .get("/v0/pulls", () => ({ pulls: pulls.list() }))
    .post(
      "/v0/pulls",
      async ({ request, server }) => {
        checkIsOwner(request, server)
        const model = readModel(new Fields(await readJsonObject(request)))
        if (model === undefined) throw new InvalidRequest("model is required", "model")
        parseModelName(model)
        return pulls.start(model)
      },
      { parse: "none" },
    )
    .delete("/v0/pulls/:id", ({ request, server, params }) => {
      checkIsOwner(request, server)
      return pulls.cancel(params.id)
    })
    .post(
      "/v0/create",
      async ({ request, server }) => {
        checkIsOwner(request, server)
        const fields = new Fields(await readJsonObject(request, BODY_BYTES.generation))
        const name = fields.text("model", TEXTS.model)
        const text = fields.text("modelfile", { maxLength: MODEL_TEXTS.modelfileBytes })
        if (name === undefined || name === "") throw new InvalidRequest("model is required", "model")
        if (text === undefined) throw new InvalidRequest("modelfile is required", "modelfile")
        if (fields.boolean("check") ?? false)
          return Response.json({ model: name, faults: faultsOfText(text) })
        const creation = createFromText(parseModelName(name), text, libraryOf(library))
        mayBeSilent(request, server)
        const isStream = fields.boolean("stream") ?? false
        return await reportProgress(request, { isStream, run: creation, fail: errorLine })
      },
      { parse: "none" },
    )
    .get("/v0/updates", async ({ request, server }) => {
      checkIsOwner(request, server)
      mayBeSilent(request, server)
      const { store, checkUpdates } = libraryOf(library)
      const names = (await store.list()).map(({ name }) => name)
      const found = await checkUpdates(names, AbortSignal.timeout(UPDATES_TIMEOUT_MS))
      return { models: Object.fromEntries(found) }
    })
    .get("/v0/settings", ({ request, server }) => {
      checkIsOwner(request, server)
      return { settings: reportsOf(owner).settings() }
    })
    .get("/v0/log", ({ request, server }) => {
      checkIsOwner(request, server)
      return { lines: reportsOf(owner).log() }
    })
}

/** @throws Unsupported */
function libraryOf(library: ModelLibrary | undefined): ModelLibrary {
  if (library === undefined) throw new Unsupported("this server does not change the models on disk")
  return library
}

/** @throws Unsupported */
function reportsOf(owner: OwnerReports | undefined): OwnerReports {
  if (owner === undefined) throw new Unsupported("this server does not show its settings and its log")
  return owner
}

function errorLine({ code, publicMessage: message, param, details }: XllmError): string {
  return `${JSON.stringify({ error: { code, message, param: param ?? null, ...details } })}\n`
}
