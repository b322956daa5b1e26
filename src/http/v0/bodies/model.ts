import { isGguf, type ModelDetails, type ModelSummary } from "../../../domain/model"
import type { ContextLengths, EngineStatus } from "../../../engine/contract"
import { printModelfile } from "../../../formats/modelfile/print"
import { instructionsOfTexts, modelTextsOf } from "../../../store/model-texts"

/** A model on disk, in GET /v0/models. */
export interface ModelBody {
  readonly name: string
  readonly aliases: readonly string[]
  readonly kind: ModelSummary["kind"]
  /** Identifies this version of its file. */
  readonly id: string
  readonly size_bytes: number
  /** ISO 8601. */
  readonly modified_at: string
  /** As of `xllm show`; empty where its files cannot be read. */
  readonly capabilities: readonly string[]
  /** llama.cpp's name, or the family of a speech model; `null`: unknown. */
  readonly architecture: string | null
  readonly parameters: number | null
  readonly quantization: string | null
  /** What it is, or will be, loaded with, in tokens; `null`: it has none, or that is not known yet. */
  readonly context_length: number | null
  readonly trained_context_length: number | null
  readonly state: "loaded" | "loading" | "unloaded" | "failed"
}

/** GET /v0/models/:name: also what only its files say. */
export interface ModelDetailsBody extends ModelBody {
  readonly license: string | null
  readonly template: string | null
  readonly system: string | null
  /** Defaults for requests that name none. */
  readonly default_parameters: Readonly<Record<string, unknown>>
  /** A Modelfile that makes a copy of the model. */
  readonly modelfile: string
  readonly speakers: readonly (string | null)[]
  readonly languages: readonly string[]
  readonly files: readonly { readonly name: string; readonly size_bytes: number }[]
  /** The scalar keys of a GGUF file. */
  readonly metadata: Readonly<Record<string, string | number | boolean>>
  readonly notes: readonly string[]
}

export interface ModelFactsBody {
  /** Undefined where the files cannot be read. */
  readonly details: ModelDetails | undefined
  readonly context: ContextLengths | undefined
  readonly status: EngineStatus
}

export function toModelBody(model: ModelSummary, { details, context, status }: ModelFactsBody): ModelBody {
  const isText = details !== undefined && isGguf(details)
  return {
    name: model.name,
    aliases: model.aliases ?? [],
    kind: model.kind,
    id: model.id,
    size_bytes: model.sizeBytes,
    modified_at: model.modifiedAt.toISOString(),
    capabilities: details?.capabilities ?? [],
    architecture: architectureOf(details),
    parameters: isText || details?.kind === "image" ? details.parameterCount : null,
    quantization: isText || details?.kind === "image" ? details.quantization : null,
    context_length: context?.served ?? null,
    trained_context_length: isText ? details.contextLength : null,
    state: stateOf(model, status),
  }
}

export function toModelDetailsBody(
  details: ModelDetails,
  facts: Omit<ModelFactsBody, "details">,
): ModelDetailsBody {
  const texts = modelTextsOf(details, details.name)
  return {
    ...toModelBody(details, { ...facts, details }),
    license: texts.license ?? null,
    template: texts.template ?? null,
    system: texts.system ?? null,
    default_parameters: texts.parameters,
    modelfile: printModelfile(instructionsOfTexts(texts)),
    speakers: details.kind === "tts" ? details.speakers.map((name) => name ?? null) : [],
    languages: details.kind === "tts" || details.kind === "asr" ? details.languages : [],
    files: filesOf(details).map(({ name, sizeBytes }) => ({ name, size_bytes: sizeBytes })),
    metadata: isGguf(details) ? plain(details.metadata) : {},
    notes: details.defaults?.notes ?? [],
  }
}

function filesOf(details: ModelDetails) {
  return "files" in details ? details.files : []
}

function architectureOf(details: ModelDetails | undefined): string | null {
  if (details === undefined) return null
  return "architecture" in details ? details.architecture : details.family
}

function stateOf({ name }: ModelSummary, status: EngineStatus): ModelBody["state"] {
  const states = status.models.filter((worker) => worker.name === name).map(({ state }) => state)
  if (states.includes("ready")) return "loaded"
  if (states.includes("loading")) return "loading"
  return status.failed.some((failed) => failed.name === name) ? "failed" : "unloaded"
}

/** JSON has no large integers. */
function plain(
  metadata: Readonly<Record<string, string | number | bigint | boolean>>,
): ModelDetailsBody["metadata"] {
  const entries = Object.entries(metadata).filter(([key]) => key !== "tokenizer.chat_template")
  return Object.fromEntries(
    entries.map(([key, value]) => [key, typeof value === "bigint" ? Number(value) : value]),
  )
}
