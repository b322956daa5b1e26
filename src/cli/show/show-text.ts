import { PART_ROLES } from "../../domain/attached-parts"
import { isGguf, type ModelDetails, type ModelFacts } from "../../domain/model"
import type { GgufTensorInfo } from "../../formats/gguf/types"
import type { ManifestParameter, ManifestSource } from "../../store/managed/manifest"
import { formatCount } from "../../lib/text/count"
import { formatBytes, section } from "../terminal/output"
import type { UsableContext } from "./usable-context"

/** The lines of a licence or system message shown in the overview. */
const TEXT_LINES = 2

/** Arrays and texts in the metadata are cut to this width, except in JSON. */
const METADATA_WIDTH = 100

/** The number of speakers, or files, shown in the overview. */
const LIST_LENGTH = 12

/** The width of the parameter name column, as in Ollama's output. */
const PARAMETER_WIDTH = 30

/** What an overview shows besides the facts in a model's file. */
export interface ShowExtras {
  /** Show all keys of the file? */
  readonly metadata?: boolean
  /** Absent: not requested. */
  readonly tensors?: readonly GgufTensorInfo[]
  readonly parameters?: Readonly<Record<string, ManifestParameter>>
  readonly system?: string
  /** The program version that the model requires. */
  readonly requires?: string
  readonly storage?: Storage
  /** Of a text model, on this machine. */
  readonly context?: UsableContext
}

/** Where a model is stored, and where it came from. */
export interface Storage {
  readonly sizeBytes: number
  readonly path: string
  /** Absent: it was added by hand. */
  readonly source?: ManifestSource
}

type Row = readonly [string, ...string[]]

/** The sections of `show` for human readers. */
export function showText(details: ModelFacts, extras: ShowExtras = {}): string {
  const { metadata = false, tensors = [], parameters = {}, system, requires } = extras
  const { storage, context } = extras
  const requiresRow: readonly Row[] = requires === undefined ? [] : [["requires", requires]]
  const notes = details.defaults?.notes ?? []
  const aliasRow: readonly Row[] = [["aliases", (details.aliases ?? []).join(", ")]]
  const sections: readonly (readonly [title: string, rows: readonly Row[]])[] = [
    [
      "Model",
      [...modelRows(details, context), ...aliasRow, ...requiresRow].filter(([, value]) => value !== ""),
    ],
    ["Capabilities", details.capabilities.map((capability): Row => [capability])],
    ["Parts", partRows(details)],
    ["Projector", projectorRows(details)],
    ["Files", fileRows(details)],
    ["Storage", storage === undefined ? [] : storageRows(storage)],
    ["Parameters", manifestParameterRows(parameters)],
    ["Metadata", metadata ? metadataRows(details) : []],
    ["Tensors", tensors.map(({ name, type, shape }): Row => [name, type.name, `[${shape.join(", ")}]`])],
    ["System", system === undefined ? [] : firstLines(system)],
    ["License", details.license === undefined ? [] : firstLines(details.license)],
    ["Notes", notes.map((note): Row => [note])],
  ]
  const shown = sections.filter(([title, rows]) => rows.length > 0 || title === "Capabilities")
  return `${shown.map(([title, rows]) => section(title, rows)).join("\n")}\n`
}

function modelRows(details: ModelFacts, context: UsableContext | undefined): readonly Row[] {
  switch (details.kind) {
    case "text":
      // Each in a second context; where the model generates no text, it is not loaded.
      return [
        ...textRows(details, context),
        ...(details.capabilities.includes("completion")
          ? [["embeddings", "by the mean of a text's tokens"] as const]
          : []),
      ]
    case "embedding":
      return [
        ...textRows(details, context),
        ...(details.pooling === undefined ? [] : [["pooling", details.pooling] as const]),
      ]
    case "tts":
      return [
        ["family", details.family],
        ["sample rate", `${details.sampleRate} Hz`],
        ["speakers", speakersOf(details.speakers)],
        ["languages", details.languages.join(", ")],
      ]
    case "asr":
      return [
        ["family", details.family],
        ["languages", details.languages.join(", ")],
        ["translates", details.canTranslate ? "translate into English" : "no"],
      ]
    case "image":
      return [
        ["architecture", details.architecture],
        ["parameters", formatCount(details.parameterCount)],
        ["quantization", details.quantization],
        ["components", details.components.join(", ")],
      ]
    default:
      return details satisfies never
  }
}

function textRows(
  details: Extract<ModelFacts, { readonly kind: "text" | "embedding" }>,
  context: UsableContext | undefined,
): readonly Row[] {
  return [
    ["architecture", details.architecture],
    ["parameters", formatCount(details.parameterCount)],
    ["context length", String(details.contextLength)],
    ...(context?.explanation === undefined
      ? []
      : [["usable context", `${context.length}, ${context.explanation}`] as const]),
    ["embedding length", String(details.embeddingLength)],
    ...(details.layers === undefined ? [] : [["layers", String(details.layers)] as const]),
    ...(details.heads === undefined ? [] : [["attention heads", String(details.heads)] as const]),
    ["quantization", details.quantization],
  ]
}

/** The number of speakers, and the names of those that have one. */
function speakersOf(speakers: readonly (string | undefined)[]): string {
  const named = speakers.filter((name) => name !== undefined)
  const names = shortList(named)
  return named.length === 0 ? String(speakers.length) : `${speakers.length} (${names.join(", ")})`
}

function projectorRows(details: ModelFacts): readonly Row[] {
  if (details.kind !== "text" || details.projector === undefined) return []
  const { families, parameterCount, embeddingLength, dimensions, encoder } = details.projector
  return [
    ["architecture", "clip"],
    ["kind", families.join(", ")],
    ["parameters", formatCount(parameterCount)],
    ["embedding length", String(embeddingLength)],
    ["dimensions", String(dimensions)],
    ...(encoder.cells === undefined ? [] : [["tokens per picture or slice", String(encoder.cells)] as const]),
  ]
}

function fileRows(details: ModelFacts): readonly Row[] {
  if (isGguf(details)) return []
  const { files = [] } = details
  const rows = files.slice(0, LIST_LENGTH).map(({ name, sizeBytes }): Row => [name, formatBytes(sizeBytes)])
  return files.length > LIST_LENGTH ? [...rows, [`... and ${files.length - LIST_LENGTH} more`]] : rows
}

/** A row for each attached part, with an adapter's strength where it is not the usual one. */
function partRows({ parts = [] }: ModelFacts): readonly Row[] {
  return parts.map(({ role, name, sizeBytes, scale = 1 }) => [
    PART_ROLES[role].label,
    name,
    formatBytes(sizeBytes),
    ...(scale === 1 ? [] : [`scale ${scale}`]),
  ])
}

/** The name that `show` uses for each source. */
const ORIGINS: Readonly<Record<ManifestSource["type"], string>> = {
  huggingface: "Hugging Face",
  ollama: "Ollama registry",
  url: "URL",
  file: "file",
  create: "created from",
  import: "archive",
}

function storageRows({ sizeBytes, path, source }: Storage): readonly Row[] {
  return [
    ["size", formatBytes(sizeBytes)],
    ["path", path],
    ...(source === undefined ? [] : [["origin", `${ORIGINS[source.type]}: ${source.reference}`] as const]),
  ]
}

function shortList(names: readonly string[]): readonly string[] {
  return names.length > LIST_LENGTH ? [...names.slice(0, LIST_LENGTH), "..."] : names
}

/** The output of `show --parameters`; undefined where there are none. */
export function parametersText(
  parameters: Readonly<Record<string, ManifestParameter>> = {},
): string | undefined {
  const rows = manifestParameterRows(parameters)
  if (rows.length === 0) return undefined
  return rows.map(([name, value]) => `${name.padEnd(PARAMETER_WIDTH)} ${value}\n`).join("")
}

/** Parameters under their Modelfile names: one row per value, texts in quotes. */
export function manifestParameterRows(
  parameters: Readonly<Record<string, ManifestParameter>>,
): readonly (readonly [name: string, value: string])[] {
  return Object.keys(parameters)
    .sort()
    .flatMap((name) => valuesOf(parameters[name] ?? []).map((value) => [name, value] as const))
}

function valuesOf(value: ManifestParameter): readonly string[] {
  if (typeof value === "object") return value.map((one) => JSON.stringify(one))
  return [typeof value === "string" ? JSON.stringify(value) : String(value)]
}

function firstLines(text: string): readonly Row[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "")
  const shown = lines.slice(0, TEXT_LINES).map((line): Row => [line.trim()])
  return lines.length > TEXT_LINES ? [...shown, ["..."]] : shown
}

function metadataRows(details: ModelFacts): readonly Row[] {
  const metadata = (isGguf(details) && details.metadata) || {}
  return Object.keys(metadata)
    .sort()
    .map((key): Row => [key, shortened(String(metadata[key]))])
}

function shortened(text: string): string {
  const oneLine = text.replace(/\s+/g, " ")
  return oneLine.length <= METADATA_WIDTH ? oneLine : `${oneLine.slice(0, METADATA_WIDTH)}...`
}

/** The effective chat template, in Jinja. */
export function templateOf(details: ModelDetails): string | undefined {
  return details.kind === "text" ? (details.defaults?.template ?? details.chatTemplate) : undefined
}
