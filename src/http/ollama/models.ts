import { Elysia } from "elysia"
import type { LoadedModel } from "../../domain/loaded-model"
import { type GgufDetails, isGguf } from "../../domain/model"
import type { ProjectorFacts } from "../../domain/projector"
import { WrongModelKind } from "../../errors/model"
import { InvalidRequest } from "../../errors/request"
import { printModelfile } from "../../formats/modelfile/print"
import { instructionsOfTexts, type ModelTexts, modelTextsOf } from "../../store/model-texts"
import { describeListed, type ModelDescriptions } from "../context/model-descriptions"
import { Fields } from "../read/fields"
import { type JsonObject, readJsonObject } from "../read/body/json-body"
import { readModel } from "../read/options"
import type { OllamaContext } from "./context"
import { taggedName, toDetailsBody } from "./model-facts"

/**
 * The version of Ollama whose API this is: clients compare it with the first one that has what they need, so ours would
 * be taken for an early one.
 */
const API_VERSION = "0.33.0"

/** Parameters' names are padded to this width, as in Ollama. */
const NAME_WIDTH = 30

/** Ollama's date for a model that stays loaded: the farthest that Go's durations reach. */
const NEVER = "2318-01-01T00:00:00Z"

/** GET /api/tags, /api/ps and /api/version, POST /api/show */
export function ollamaModelRoutes({ engine }: OllamaContext, descriptions: ModelDescriptions) {
  return new Elysia({ name: "ollama-models" })
    .get("/api/version", () => ({ version: API_VERSION }))
    .get("/api/tags", async () => {
      const models = await describeListed(await engine.list(), descriptions)
      return {
        models: models.map(([{ name, modifiedAt, sizeBytes, id }, details]) => ({
          name: taggedName(name),
          model: taggedName(name),
          modified_at: modifiedAt.toISOString(),
          size: sizeBytes,
          digest: id,
          details: toDetailsBody(details),
          capabilities: details.capabilities,
        })),
      }
    })
    .get("/api/ps", async () => {
      const loaded = engine.loaded().filter(({ kind, state }) => isGguf({ kind }) && state !== "stopping")
      const names = [...new Set(loaded.map(({ name }) => name))]
      // Not the whole list, which clients poll. One that was removed while it runs is left out.
      const found = await Promise.all(names.map((name) => engine.resolve(name).catch(() => undefined)))
      const models = await describeListed(
        found.filter((model) => model !== undefined),
        descriptions,
      )
      const bodies = models.map(([{ name }, details]) =>
        toLoadedBody(
          loaded.filter((worker) => worker.name === name),
          details,
        ),
      )
      return { models: bodies }
    })
    .post(
      "/api/show",
      async ({ request }) => toShowBody(await listedDetails(engine, await readJsonObject(request))),
      { parse: "none" },
    )
}

/** @throws InvalidRequest, ModelNotFound, WrongModelKind */
async function listedDetails(engine: OllamaContext["engine"], body: JsonObject): Promise<GgufDetails> {
  const details = await engine.show(namedModel(new Fields(body)))
  if (!isGguf(details)) throw new WrongModelKind(details.name, details.kind)
  return details
}

/** The model of a request, under its present or its earlier name. @throws InvalidRequest */
export function namedModel(fields: Fields): string {
  const given = fields.unchecked("model") === undefined ? fields.unchecked("name") : fields.unchecked("model")
  const model = readModel(new Fields({ model: given }))
  if (model === undefined) throw new InvalidRequest("model is required", "model")
  return model
}

/** One entry for all replicas of a model. */
function toLoadedBody(workers: readonly LoadedModel[], details: GgufDetails) {
  const [first] = workers
  const info = first?.info
  const isLoaded = info?.kind === "text" || info?.kind === "embedding"
  const onDevices = workers.reduce(
    (sum, { footprint }) => sum + (footprint?.devices.reduce((all, { bytes }) => all + bytes, 0) ?? 0),
    0,
  )
  return {
    name: taggedName(details.name),
    model: taggedName(details.name),
    size: workers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    digest: details.id,
    details: toDetailsBody(details),
    expires_at: first === undefined ? NEVER : expiryOf(first),
    size_vram: onDevices,
    context_length: isLoaded ? info.contextLength : details.contextLength,
  }
}

/** A model in use expires no earlier than now. */
function expiryOf({ expiresAt }: LoadedModel): string {
  if (expiresAt === null) return NEVER
  return (expiresAt ?? new Date()).toISOString()
}

function toShowBody(details: GgufDetails) {
  const texts = modelTextsOf(details, taggedName(details.name))
  return {
    ...(texts.license !== undefined && { license: texts.license }),
    modelfile: printModelfile(instructionsOfTexts(texts)),
    parameters: parametersText(texts.parameters),
    template: texts.template ?? "",
    ...(texts.system !== undefined && { system: texts.system }),
    details: toDetailsBody(details),
    ...(texts.messages.length > 0 && {
      messages: texts.messages.map(({ role, content }) => ({ role, content })),
    }),
    model_info: modelInfo(details),
    ...(details.kind === "text" &&
      details.projector !== undefined && { projector_info: projectorInfo(details.projector) }),
    capabilities: details.capabilities,
    modified_at: details.modifiedAt.toISOString(),
  }
}

/** Under the keys of its file. */
function projectorInfo({ families, sees, hears, parameterCount, ...facts }: ProjectorFacts) {
  const side = sees ? "vision" : "audio"
  return {
    "general.architecture": "clip",
    "general.parameter_count": parameterCount,
    "clip.has_vision_encoder": sees,
    "clip.has_audio_encoder": hears,
    "clip.projector_type": families.join(","),
    [`clip.${side}.embedding_length`]: facts.embeddingLength,
    [`clip.${side}.projection_dim`]: facts.dimensions,
  }
}

function parametersText(parameters: ModelTexts["parameters"]): string {
  return Object.entries(parameters)
    .flatMap(([name, value]) =>
      (typeof value === "object" ? value : [value]).map(
        (one) => `${name.padEnd(NAME_WIDTH)} ${typeof one === "string" ? JSON.stringify(one) : one}`,
      ),
    )
    .join("\n")
}

/** The scalar keys of the file; the name and the template have fields of their own. */
function modelInfo({ metadata, parameterCount }: GgufDetails): Readonly<Record<string, unknown>> {
  const entries = Object.entries(metadata).filter(
    ([key]) => key !== "general.name" && key !== "tokenizer.chat_template",
  )
  const plain = entries.map(([key, value]) => [key, typeof value === "bigint" ? Number(value) : value])
  return { ...Object.fromEntries(plain), "general.parameter_count": parameterCount }
}
