import { type JsonRecord, textAt, toRecord } from "../../lib/json"
import type { MetadataFields } from "../fields"
import type { HfFolder } from "../source/folder"
import { type NameParts, namePartsOf, titleOf } from "./name-parts"
import { type ParameterCounts, sizeLabelOf } from "./size-label"

/** Metadata about a model: from the card of its folder, its configuration and its name. */
export interface CardRequest {
  readonly folder: HfFolder
  /** config.json */
  readonly config: JsonRecord
  readonly parameters: ParameterCounts
  /** Given by the caller. */
  readonly name: string | undefined
  /** The repository that it was pulled from. */
  readonly repository: string | undefined
}

const HUB = "https://huggingface.co"
const MAX_LINKS = 64

/** Sets the `general.` keys: who made the model, from what, under which licence, and how to sample. */
export async function setCardFields(fields: MetadataFields, request: CardRequest): Promise<void> {
  const { folder, parameters } = request
  await setSampling(fields, folder)
  const card = await readCard(folder)
  const first = (...keys: readonly string[]) =>
    keys.map((key) => textAt(card, key)).find((text) => text !== undefined)
  const parts = partsOf(request)
  fields.text(
    "general.name",
    request.name ?? first("name", "model_name") ?? titleOf(parts[0]?.name ?? folder.name),
  )
  const part = (key: keyof NameParts) => parts.map((each) => each[key]).find((text) => text !== undefined)
  const organization = part("organization")
  fields.text("general.author", first("author", "model_author", "model_creator"))
  fields.text("general.version", first("version", "model_version") ?? part("version"))
  fields.text(
    "general.organization",
    first("organization", "model_organization") ?? (organization && titleOf(organization)),
  )
  fields.text("general.finetune", first("finetune", "model_finetune") ?? part("finetune"))
  fields.text("general.basename", first("basename", "model_basename", "model_type") ?? part("basename"))
  fields.text("general.description", first("description", "model_description"))
  fields.text(
    "general.size_label",
    first("size_label", "model_size_label") ?? part("sizeLabel") ?? sizeLabelOf(parameters),
  )
  const license: unknown = card["license"]
  fields.text("general.license", Array.isArray(license) ? license.map(String).join(",") : first("license"))
  fields.text("general.license.name", first("license_name"))
  fields.text("general.license.link", first("license_link"))
  fields.text("general.source.url", first("url", "model_url"))
  fields.text("general.source.doi", first("doi", "model_doi"))
  fields.text("general.source.uuid", first("uuid", "model_uuid"))
  fields.text("general.source.repo_url", first("repo_url", "model_repo_url"))
  setLinks(fields, "base_model", card["base_model"] ?? card["base_models"], parameters.total)
  setLinks(fields, "dataset", card["datasets"] ?? card["dataset"], parameters.total)
  fields.texts("general.tags", [...listOf(card["tags"]), ...listOf(card["pipeline_tag"])])
  fields.texts("general.languages", [...listOf(card["languages"]), ...listOf(card["language"])])
}

/** From the names that there are, the most telling first. */
function partsOf({ folder, config, parameters, repository }: CardRequest): readonly NameParts[] {
  const path = textAt(config, "_name_or_path")
  const named = path !== undefined && path !== "" && path.split("/").length <= 2 ? [path] : []
  return [...named, ...(repository === undefined ? [] : [repository]), folder.name].map((id) =>
    namePartsOf(id, parameters.total),
  )
}

/** The front matter of README.md; empty where there is none, or it is not valid. */
async function readCard(folder: HfFolder): Promise<JsonRecord> {
  const text = await folder.text("README.md")
  const lines = text?.split(/\r\n|\n|\r/) ?? []
  if (lines[0] !== "---") return {}
  const end = lines.indexOf("---", 1)
  const front = lines.slice(1, end < 0 ? undefined : end).join("\n")
  try {
    // Norway's code is no truth value; tabs are no indentation.
    const plain = `${front}\n`.replaceAll("- no\n", '- "no"\n').replaceAll("\t", "  ")
    return toRecord(Bun.YAML.parse(plain)) ?? {}
  } catch {
    return {}
  }
}

function listOf(value: unknown): readonly string[] {
  if (typeof value === "string") return [value]
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : []
}

/** Models or data sets that this one was made from. */
function setLinks(
  fields: MetadataFields,
  kind: "base_model" | "dataset",
  value: unknown,
  parameters: number,
): void {
  if (value === undefined || value === null) return
  const ids = (Array.isArray(value) ? value : [value]).slice(0, MAX_LINKS)
  fields.u32(`general.${kind}.count`, ids.length)
  for (const [index, id] of ids.entries()) {
    const key = (name: string) => `general.${kind}.${index}.${name}`
    const own = toRecord(id)
    if (own !== undefined)
      for (const name of [
        "name",
        "author",
        "version",
        "organization",
        "description",
        "url",
        "doi",
        "repo_url",
      ])
        fields.text(key(name), textAt(own, name))
    if (typeof id !== "string") continue
    const isUrl = /^(?:https?|ssh):\/\//.test(id)
    const onHub = isUrl ? /^https?:\/\/huggingface\.co\/([^/]+\/[^/]+)$/.exec(id)?.[1] : id
    if (isUrl) fields.text(key("repo_url"), id)
    if (onHub === undefined) continue
    const { name, organization, version } = namePartsOf(onHub, parameters)
    fields.text(key("name"), titleOf(name))
    fields.text(key("version"), version)
    fields.text(key("organization"), organization && titleOf(organization))
    if (!isUrl && organization !== undefined) fields.text(key("repo_url"), `${HUB}/${organization}/${name}`)
  }
}

/** How the publisher recommends to sample. */
async function setSampling(fields: MetadataFields, folder: HfFolder): Promise<void> {
  const given = await folder.json("generation_config.json").catch(() => undefined)
  const number = (...keys: readonly string[]) => {
    const values = keys.map((key) => given?.[key])
    return values.find((value) => typeof value === "number" && Number.isFinite(value)) as number | undefined
  }
  const whole = (key: string) => {
    const value = number(key)
    return value === undefined ? undefined : Math.trunc(value)
  }
  const key = (name: string) => `general.sampling.${name}`
  fields.i32(key("top_k"), whole("top_k"))
  fields.f32(key("top_p"), number("top_p"))
  fields.f32(key("min_p"), number("min_p"))
  fields.f32(key("xtc_probability"), number("xtc_probability"))
  fields.f32(key("xtc_threshold"), number("xtc_threshold"))
  fields.f32(key("temp"), number("temperature"))
  fields.i32(key("penalty_last_n"), whole("penalty_last_n"))
  fields.f32(key("penalty_repeat"), number("penalty_repeat", "repetition_penalty"))
  fields.i32(key("mirostat"), whole("mirostat"))
  fields.f32(key("mirostat_tau"), number("mirostat_tau"))
  fields.f32(key("mirostat_eta"), number("mirostat_eta"))
}
