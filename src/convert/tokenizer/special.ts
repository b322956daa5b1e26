import { type JsonRecord, recordAt, recordsAt, textAt } from "../../lib/json"
import { CONVERT } from "../../limits"
import type { MetadataFields } from "../fields"
import { specialTokenText, type TokenizerFiles } from "./files"

/** Roles of special tokens, and their names in a GGUF; those of `cls` have none. */
const ROLES: Readonly<Record<string, string | undefined>> = {
  bos: "bos",
  eos: "eos",
  unk: "unknown",
  // Spelt so in the format.
  sep: "seperator",
  pad: "padding",
  cls: undefined,
  mask: "mask",
  eot: "eot",
  eom: "eom",
}
const FIRST_ROLES = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"] as const
/** Tokens that a tokenizer may put around texts. */
const ADDED_ROLES = ["bos", "eos", "sep"] as const

/** Special tokens of a tokenizer, and which of them it puts around texts. */
class SpecialTokens {
  readonly ids = new Map<string, number>()
  readonly isAdded = new Map<string, boolean>()
  readonly roles: string[] = [...FIRST_ROLES]
  /** Texts by role; those of tokenizer_config.json, unless the post-processor says otherwise. */
  readonly texts = new Map<string, string>()
}

/**
 * Sets the keys of special tokens, of templates and of the normalizer. `raw`: config.json itself. `tokens`: their number.
 */
export async function setSpecialFields(
  fields: MetadataFields,
  files: TokenizerFiles,
  raw: JsonRecord,
  tokens: number,
): Promise<void> {
  const special = new SpecialTokens()
  const { json, config } = files
  for (const role of Object.keys(ROLES)) {
    const text = specialTokenText(config?.[`${role}_token`])
    if (text !== undefined && text !== "") special.texts.set(role, text)
  }
  if (json !== undefined) readPostProcessor(special, json)
  if (config !== undefined) readConfig(special, files, config)
  const inner = recordAt(raw, "text_config")
  for (const role of special.roles) {
    const id = raw[`${role}_token_id`] ?? inner?.[`${role}_token_id`]
    if (typeof id === "number") setId(special, role, id)
  }
  for (const [role, id] of special.ids) {
    const name = ROLES[role]
    // A token that the vocabulary lacks: llama.cpp would refuse the model.
    if (name !== undefined && id < tokens) fields.u32(`tokenizer.ggml.${name}_token_id`, id)
  }
  for (const role of ADDED_ROLES) fields.flag(`tokenizer.ggml.add_${role}_token`, special.isAdded.get(role))
  if (config !== undefined || files.folder.has("chat_template.jinja")) await setTemplates(fields, files)
  setNormalizer(fields, recordAt(json, "normalizer"))
}

function setId(special: SpecialTokens, role: string, id: number): void {
  if (Number.isInteger(id) && id >= 0 && !special.ids.has(role)) special.ids.set(role, id)
}

/** What the post-processor puts around texts tells more than the configuration. */
function readPostProcessor(special: SpecialTokens, json: JsonRecord): void {
  const { texts, isAdded } = special
  const fallback = (role: string, other: string) => {
    const text = texts.get(other)
    if (!texts.has(role) && text !== undefined) texts.set(role, text)
  }
  fallback("bos", "cls")
  fallback("eos", "sep")
  const processor = recordAt(json, "post_processor")
  if (processor === undefined) return
  const all = Array.isArray(processor["processors"]) ? recordsAt(processor, "processors") : [processor]
  for (const each of all) {
    const type = textAt(each, "type")
    if (type === "RobertaProcessing") for (const role of ADDED_ROLES) isAdded.set(role, true)
    if (type === "TemplateProcessing") readTemplate(special, each)
  }
}

function readTemplate(special: SpecialTokens, processor: JsonRecord): void {
  const { texts, isAdded, roles } = special
  const single = recordsAt(processor, "single")
  const idOf = (part: JsonRecord | undefined) => textAt(recordAt(part, "SpecialToken"), "id")
  const first = single.length > 1 ? idOf(single[0]) : undefined
  const last = single.length > 1 ? idOf(single.at(-1)) : undefined
  if (first !== undefined) {
    for (const role of ["bos", "cls"]) if (!texts.has(role)) texts.set(role, first)
    isAdded.set("bos", first === texts.get("bos") || first === texts.get("cls"))
  }
  if (last !== undefined) {
    const end = texts.get("eos")
    if (last !== end) {
      // What ends a turn is not always what ends a text.
      const role = roles.includes("eot") ? "eom" : "eot"
      if (!roles.includes(role)) {
        roles.push(role)
        if (end !== undefined) texts.set(role, end)
      }
      texts.set("eos", last)
    }
    isAdded.set("eos", true)
  }
  readPair(special, recordsAt(processor, "pair"), first, last, idOf)
}

function readPair(
  { texts, isAdded }: SpecialTokens,
  pair: readonly JsonRecord[],
  first: string | undefined,
  last: string | undefined,
  idOf: (part: JsonRecord | undefined) => string | undefined,
): void {
  const start = first !== undefined && idOf(pair[0]) === first ? 1 : 0
  const end = last !== undefined && idOf(pair.at(-1)) === last ? -1 : undefined
  const between = pair.slice(start, end)
  const sequence = (part: JsonRecord | undefined) => textAt(recordAt(part, "Sequence"), "id")
  if (sequence(between[0]) !== "A" || sequence(between.at(-1)) !== "B" || between.length < 3) return
  const [one, two, ...more] = between.slice(1, -1).map(idOf)
  const separates = (text: string | undefined) =>
    text !== undefined && (text === texts.get("sep") || text === texts.get("eos"))
  const adds =
    (separates(one) && last === undefined) || (between.length === 4 && more.length === 0 && separates(two))
  isAdded.set("sep", adds)
  const eos = texts.get("eos")
  if (adds && !texts.has("sep") && eos !== undefined) texts.set("sep", eos)
}

function readConfig(special: SpecialTokens, { added }: TokenizerFiles, config: JsonRecord): void {
  const { texts, isAdded, roles } = special
  for (const role of roles) {
    const adds = config[`add_${role}_token`]
    if (typeof adds === "boolean") isAdded.set(role, adds)
    const text = texts.get(role)
    const id = text === undefined ? undefined : added.find((token) => token.text === text)?.id
    if (id !== undefined) setId(special, role, id)
  }
}

/** The template of tokenizer_config.json, or else of files of its own. */
async function setTemplates(fields: MetadataFields, { folder, config }: TokenizerFiles): Promise<void> {
  const template: unknown = config?.["chat_template"] ?? (await templateFile(folder))
  if (typeof template === "string") return fields.text("tokenizer.chat_template", template)
  if (!Array.isArray(template)) return
  const names: string[] = []
  for (const each of recordsAt({ template }, "template")) {
    const [name, text] = [textAt(each, "name"), textAt(each, "template")]
    if (name === undefined || text === undefined) continue
    setNamed(fields, name, text)
    if (name !== "default") names.push(name)
  }
  fields.texts("tokenizer.chat_templates", names)
}

function setNamed(fields: MetadataFields, name: string, text: string): void {
  const key = name.replaceAll(/[^a-zA-Z0-9]/g, "_")
  fields.text(name === "default" ? "tokenizer.chat_template" : `tokenizer.chat_template.${key}`, text)
}

/** The folder of further templates. */
const MORE_TEMPLATES = "additional_chat_templates"

async function templateFile(folder: TokenizerFiles["folder"]): Promise<unknown> {
  const jinja = await folder.text("chat_template.jinja", CONVERT.textBytes)
  if (jinja !== undefined) {
    const others = (await folder.namesIn(MORE_TEMPLATES)).filter((name) => name.endsWith(".jinja"))
    if (others.length === 0) return jinja
    const named = others.map(async (name) => ({
      name: name.slice(0, -".jinja".length),
      template: await folder.text(`${MORE_TEMPLATES}/${name}`, CONVERT.textBytes),
    }))
    return [{ name: "default", template: jinja }, ...(await Promise.all(named))]
  }
  return (await folder.json("chat_template.json"))?.["chat_template"]
}

function setNormalizer(fields: MetadataFields, normalizer: JsonRecord | undefined, depth = 0): void {
  if (normalizer === undefined || depth > 8) return
  const flag = (name: string, value: unknown) =>
    fields.flag(`tokenizer.ggml.normalizer.${name}`, typeof value === "boolean" ? value : undefined)
  switch (textAt(normalizer, "type")) {
    case "Lowercase":
      return flag("lowercase", true)
    case "StripAccents":
      return flag("strip_accents", true)
    case "BertNormalizer":
      flag("lowercase", normalizer["lowercase"])
      return flag("strip_accents", normalizer["strip_accents"])
    case "Sequence":
      for (const each of recordsAt(normalizer, "normalizers")) setNormalizer(fields, each, depth + 1)
  }
}
