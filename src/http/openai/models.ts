import { Elysia } from "elysia"
import { type GgufDetails, isGguf, type ModelDetails, type ModelSummary } from "../../domain/model"
import type { ProjectorFacts } from "../../domain/projector"
import type { ContextLengths, Engine } from "../../engine/contract"
import { vocabularyOf } from "../../formats/gguf/vocabulary"
import { breathe } from "../../lib/async/breathe"
import { mapSome } from "../../lib/async/map-some"
import { aliasKey } from "../../lib/aliases"
import { parametersOf } from "../../store/default-parameters"
import type { ModelDescriptions } from "../context/model-descriptions"
import { speakerIds } from "./audio/speakers"
import type { OpenAiContext } from "./reply"

const MODELS = "/v1/models"

/** GET /v1/models and /v1/models/:id; an id may contain slashes. */
export function modelRoutes({ engine }: OpenAiContext, descriptions: ModelDescriptions) {
  return new Elysia({ name: "openai-models" })
    .get(MODELS, async () => {
      const models = await mapSome(await listModels(engine, descriptions), async (entries) => [
        ...entries,
        ...(await adaptedOf(entries, engine)),
      ])
      return { object: "list", data: models.flat() }
    })
    .get(`${MODELS}/*`, async ({ params }) => {
      const requested = decodeName(params["*"])
      const model = await engine.show(requested)
      const context = (await engine.contextLengths([model])).get(model.name)
      const body = toModelWithMeta(model, requested, context)
      const own = toModels(model, { context, details: undefined, speakers: undefined })
      const adapted = (await adaptedOf(own, engine)).find(
        ({ id }) => id.toLowerCase() === requested.toLowerCase(),
      )
      return adapted === undefined ? body : { ...body, ...adapted, meta: { ...body.meta, ...adapted.meta } }
    })
}

/** The entries of every model: one for each of its names, its own first. */
export async function listModels(engine: Engine, descriptions: ModelDescriptions) {
  const models = await engine.list()
  const contexts = await engine.contextLengths(models)
  return await mapSome(models, async (model) => {
    // A long list holds no other request up.
    await breathe()
    const context = contexts.get(model.name)
    // With its context its file is read, so its other facts are at hand.
    const details = context === undefined ? undefined : await descriptions.of(model)
    return toModels(model, { context, details, speakers: await speakersOf(model, descriptions) })
  })
}

/** The router leaves the rest of a path as it came; what cannot be decoded is the name of no model. */
function decodeName(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    return encoded
  }
}

/** Clients offer them for selection. Undefined where the model has none, or its files are gone. */
async function speakersOf(
  model: ModelSummary,
  descriptions: ModelDescriptions,
): Promise<readonly string[] | undefined> {
  if (model.kind !== "tts") return undefined
  const details = await descriptions.of(model)
  return details?.kind === "tts" ? speakerIds(details) : undefined
}

/** An entry for each adapter that requests can name with the model. None where they cannot be read. */
async function adaptedOf([entry]: readonly ListedModel[], engine: Engine) {
  if (entry?.meta.kind !== "text") return []
  const adapters = await engine.adapters(entry.id).catch(() => [])
  return adapters.map(({ name, sizeBytes }) => {
    const meta = { ...entry.meta, adapter: name, adapter_size: sizeBytes }
    return { ...entry, id: `${entry.id}@${name}`, root: entry.id, parent: entry.id, meta }
  })
}

type ListedModel = ReturnType<typeof toModels>[number]

interface ListedFacts {
  readonly context: ContextLengths | undefined
  readonly details: ModelDetails | undefined
  readonly speakers: readonly string[] | undefined
}

/** One entry for each of the model's names. */
function toModels(model: ModelSummary, { context, details, speakers }: ListedFacts) {
  const facts = details !== undefined && isGguf(details) ? toListedMeta(details) : {}
  return [undefined, ...(model.aliases ?? [])].map((alias) => {
    const entry = toModel(model, alias, context)
    return {
      ...entry,
      meta: {
        kind: model.kind,
        ...facts,
        ...entry.meta,
        ...(details !== undefined && { capabilities: details.capabilities }),
        ...(speakers !== undefined && { speakers }),
      },
    }
  })
}

/** `alias`: the entry's name, if it is not the model's own; the entry then says which model it stands for. */
function toModel(model: ModelSummary, alias: string | undefined, context: ContextLengths | undefined) {
  return {
    id: alias ?? model.name,
    ...(alias !== undefined && { alias_of: model.name }),
    object: "model",
    created: Math.floor(model.modifiedAt.getTime() / 1000),
    owned_by: "xllm",
    ...(context !== undefined && toContextFields(context)),
  }
}

/** Under the names that clients look for: those of vLLM, OpenRouter, LM Studio and llama-server. */
function toContextFields({ trained, served, limitedBy }: ContextLengths) {
  return {
    max_model_len: served,
    context_length: served,
    max_context_length: trained,
    ...(limitedBy !== undefined && { context_limited_by: limitedBy }),
    meta: { n_ctx_train: trained, n_ctx: served },
  }
}

/** Adds facts from the model's files, under llama-server's names where it has them. */
function toModelWithMeta(model: ModelDetails, requested: string, context: ContextLengths | undefined) {
  const { sizeBytes: size, capabilities, license, aliases } = model
  const alias = model.aliases?.find((name) => aliasKey(name) === aliasKey(requested))
  const common = toModel(model, alias, context)
  return {
    ...common,
    meta: {
      kind: model.kind,
      ...toMeta(model),
      ...common.meta,
      size,
      capabilities,
      license,
      aliases,
      parts: model.parts?.map(({ role, name, sizeBytes, scale }) => ({ role, name, size: sizeBytes, scale })),
      notes: model.defaults?.notes,
    },
  }
}

function toProjectorMeta({ families, sees, hears, parameterCount, encoder, ...facts }: ProjectorFacts) {
  return {
    families,
    sees,
    hears,
    n_params: parameterCount,
    n_embd: facts.embeddingLength,
    n_embd_out: facts.dimensions,
    tokens_per_unit: encoder.cells,
    patches_per_token: encoder.patchesPerCell,
    n_ff: encoder.feedForwardLength,
    n_head: encoder.heads,
  }
}

function toMeta(model: ModelDetails) {
  switch (model.kind) {
    case "embedding":
      return { ...toFileMeta(model), pooling: model.pooling }
    case "text":
      return {
        ...toFileMeta(model),
        template: model.defaults?.template ?? model.chatTemplate,
        system: model.defaults?.system,
        messages: model.defaults?.messages?.map(({ role, content }) => ({ role, content })),
        parameters: parametersOf(model.defaults),
        projector: model.projector && toProjectorMeta(model.projector),
      }
    case "tts":
      return {
        family: model.family,
        sample_rate: model.sampleRate,
        speakers: speakerIds(model),
        languages: model.languages,
      }
    case "asr":
      return { family: model.family, languages: model.languages, can_translate: model.canTranslate }
    case "image":
      return {
        n_params: model.parameterCount,
        architecture: model.architecture,
        quantization: model.quantization,
        components: model.components,
      }
    default:
      return model satisfies never
  }
}

function toFileMeta(model: GgufDetails) {
  const { size: _, ...listed } = toListedMeta(model)
  return {
    ...listed,
    n_layer: model.layers,
    n_head: model.heads,
    architecture: model.architecture,
    quantization: model.quantization,
  }
}

/** By which clients of llama-server size their prompts. */
function toListedMeta(model: GgufDetails) {
  const { type: vocab_type, tokens: n_vocab } = vocabularyOf(model)
  return {
    ...(vocab_type !== undefined && { vocab_type }),
    ...(n_vocab !== undefined && { n_vocab }),
    n_ctx_train: model.contextLength,
    n_embd: model.embeddingLength,
    n_params: model.parameterCount,
    size: model.sizeBytes,
    ftype: model.quantization,
  }
}
