import type { Inputs } from "../config/load"
import { effectiveModelSettings } from "../config/model-settings"
import { storeSettings } from "../config/schema"
import { gatherInputs, modelsFolder } from "../config/settings"
import type { ModelDetails, TextModelDetails } from "../domain"
import { UsageError } from "../errors"
import { defineCommand } from "./command"
import { configFlag, grouped, switchFlag } from "./flags"
import { nameOf } from "./model-path"
import { aligned, formatCount, section, toJson } from "./output"

/** Lines of a licence that the overview shows. */
const LICENSE_LINES = 2

/** Arrays and texts of the metadata are cut here, unless JSON is asked for. */
const METADATA_WIDTH = 100

export const command = defineCommand({
  name: "show",
  summary: "Show what a model is",
  words: "MODEL",
  minimumWords: 1,
  maximumWords: 1,
  details: "Reads a model's file; MODEL is a name in the models folder or the path of a GGUF.",
  examples: [
    { line: "xllm show ./model.gguf", does: "what the file is" },
    { line: "xllm show smollm --template", does: "the chat template, and nothing else" },
    { line: "xllm show smollm --effective", does: "what it is loaded with, and why" },
  ],
  flags: {
    template: switchFlag("only the chat template"),
    license: switchFlag("only the licence"),
    effective: switchFlag("only the settings that it is loaded with, and where each is from"),
    metadata: switchFlag("also every key of the file", "v"),
    json: switchFlag("print JSON"),
    ...grouped(storeSettings, "Flags"),
    ...configFlag,
  },
  async run({ flags, words: [model = ""], io }) {
    if ([flags.template, flags.license, flags.effective, flags.json].filter(Boolean).length > 1) {
      throw new UsageError("give one of --template, --license, --effective and --json")
    }
    const { createStore } = await import("../store")
    const inputs = await gatherInputs(flags, io.environment)
    const store = createStore({ modelsFolder: modelsFolder(inputs) })
    const details = await store.describe(await nameOf(model, store))
    if (flags.json) io.write(toJson(toShowObject(details)))
    else if (flags.template) io.write(only(templateOf(details), details.name, "chat template"))
    else if (flags.license) io.write(only(details.license, details.name, "licence"))
    else if (flags.effective) io.write(effectiveText(inputs, details))
    else io.write(showText(details, flags.metadata === true))
  },
})

function only(text: string | undefined, model: string, what: string): string {
  if (text === undefined) throw new UsageError(`the file of model '${model}' has no ${what}`)
  return text.endsWith("\n") ? text : `${text}\n`
}

function effectiveText(inputs: Inputs, details: ModelDetails): string {
  const settings = effectiveModelSettings(inputs, details)
  return aligned(
    settings.map(({ name, shown, from }) => [name, shown, from]),
    4,
  )
}

/** The chat template that a model's file has. */
export function templateOf(details: ModelDetails): string | undefined {
  return details.kind === "text" ? details.chatTemplate : undefined
}

/** What is known of a text model; a server tells less than a file. */
type TextModelFacts = Pick<
  TextModelDetails,
  | "kind"
  | "architecture"
  | "parameterCount"
  | "contextLength"
  | "embeddingLength"
  | "quantization"
  | "capabilities"
> &
  Partial<Pick<TextModelDetails, "layers" | "heads" | "license" | "metadata">>

/** What is known of a model. */
export type ModelFacts = TextModelFacts | Exclude<ModelDetails, { readonly kind: "text" }>

/** The sections of `show`, as people read them. */
export function showText(details: ModelFacts, withMetadata: boolean): string {
  const sections = [
    section("Model", modelRows(details)),
    section(
      "Capabilities",
      details.capabilities.map((capability) => [capability]),
    ),
  ]
  if (withMetadata) sections.push(section("Metadata", metadataRows(details)))
  if (details.license !== undefined) sections.push(section("License", licenseRows(details.license)))
  return `${sections.join("\n")}\n`
}

function modelRows(details: ModelFacts): readonly (readonly [string, string])[] {
  switch (details.kind) {
    case "text":
      return textRows(details)
    case "voice":
      return [
        ["family", details.family],
        ["sample rate", `${details.sampleRate} Hz`],
        ["speakers", String(details.speakers.length)],
        ["languages", details.languages.join(", ")],
      ]
    case "recognizer":
      return [
        ["family", details.family],
        ["languages", details.languages.join(", ")],
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

function textRows(details: TextModelFacts): readonly (readonly [string, string])[] {
  return [
    ["architecture", details.architecture],
    ["parameters", formatCount(details.parameterCount)],
    ["context length", String(details.contextLength)],
    ["embedding length", String(details.embeddingLength)],
    ...(details.layers === undefined ? [] : [["layers", String(details.layers)] as const]),
    ...(details.heads === undefined ? [] : [["attention heads", String(details.heads)] as const]),
    ["quantization", details.quantization],
  ]
}

function licenseRows(license: string): readonly (readonly [string])[] {
  const lines = license.split("\n").filter((line) => line.trim() !== "")
  const shown = lines.slice(0, LICENSE_LINES).map((line): [string] => [line.trim()])
  return lines.length > LICENSE_LINES ? [...shown, ["..."]] : shown
}

function metadataRows(details: ModelFacts): readonly (readonly [string, string])[] {
  const metadata = (details.kind === "text" && details.metadata) || {}
  return Object.keys(metadata)
    .sort()
    .map((key): [string, string] => [key, shortened(String(metadata[key]))])
}

function shortened(text: string): string {
  const oneLine = text.replace(/\s+/g, " ")
  return oneLine.length <= METADATA_WIDTH ? oneLine : `${oneLine.slice(0, METADATA_WIDTH)}...`
}

/** What `show --json` tells. */
function toShowObject(details: ModelDetails) {
  const common = {
    name: details.name,
    kind: details.kind,
    id: details.id,
    path: details.path,
    size_bytes: details.sizeBytes,
    modified_at: details.modifiedAt.toISOString(),
  }
  const license = details.license ?? null
  const { capabilities } = details
  switch (details.kind) {
    case "text":
      return {
        ...common,
        architecture: details.architecture,
        parameters: details.parameterCount,
        quantization: details.quantization,
        context_length: details.contextLength,
        embedding_length: details.embeddingLength,
        layers: details.layers,
        heads: details.heads,
        license,
        chat_template: details.chatTemplate ?? null,
        capabilities,
        metadata: details.metadata,
      }
    case "voice":
    case "recognizer":
      return { ...common, family: details.family, languages: details.languages, license, capabilities }
    case "image":
      return {
        ...common,
        architecture: details.architecture,
        parameters: details.parameterCount,
        quantization: details.quantization,
        components: details.components,
        license,
        capabilities,
      }
    default:
      return details satisfies never
  }
}
