import { storeSettings } from "../config/schema"
import { gatherInputs, modelsFolder } from "../config/settings"
import type { ModelDetails } from "../domain"
import { UsageError } from "../errors"
import { defineCommand } from "./command"
import { configFlag, grouped, switchFlag } from "./flags"
import { nameOf } from "./model-path"
import { formatCount, section, toJson } from "./output"

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
  ],
  flags: {
    template: switchFlag("only the chat template"),
    license: switchFlag("only the licence"),
    metadata: switchFlag("also every key of the file", "v"),
    json: switchFlag("print JSON"),
    ...grouped(storeSettings, "Flags"),
    ...configFlag,
  },
  async run({ flags, words: [model = ""], io }) {
    if ([flags.template, flags.license, flags.json].filter(Boolean).length > 1) {
      throw new UsageError("give one of --template, --license and --json")
    }
    const { createStore } = await import("../store")
    const store = createStore({ modelsFolder: modelsFolder(await gatherInputs(flags, io.environment)) })
    const details = await store.describe(await nameOf(model, store))
    if (flags.json) io.write(toJson(toShowObject(details)))
    else if (flags.template) io.write(only(details.chatTemplate, details.name, "chat template"))
    else if (flags.license) io.write(only(details.license, details.name, "licence"))
    else io.write(showText(details, flags.metadata === true))
  },
})

function only(text: string | undefined, model: string, what: string): string {
  if (text === undefined) throw new UsageError(`the file of model '${model}' has no ${what}`)
  return text.endsWith("\n") ? text : `${text}\n`
}

/** What is known of a model; a server tells less than a file. */
export type ModelFacts = Pick<
  ModelDetails,
  "architecture" | "parameterCount" | "contextLength" | "embeddingLength" | "quantization" | "capabilities"
> &
  Partial<Pick<ModelDetails, "layers" | "heads" | "license" | "metadata">>

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

function metadataRows({ metadata = {} }: ModelFacts): readonly (readonly [string, string])[] {
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
  return {
    name: details.name,
    id: details.id,
    path: details.path,
    size_bytes: details.sizeBytes,
    modified_at: details.modifiedAt.toISOString(),
    architecture: details.architecture,
    parameters: details.parameterCount,
    quantization: details.quantization,
    context_length: details.contextLength,
    embedding_length: details.embeddingLength,
    layers: details.layers,
    heads: details.heads,
    license: details.license ?? null,
    chat_template: details.chatTemplate ?? null,
    capabilities: details.capabilities,
    metadata: details.metadata,
  }
}
