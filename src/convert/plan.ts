import { join } from "node:path"
import { CannotConvert } from "../errors/convert"
import { InvalidModelFile } from "../errors/model"
import type { GgufField } from "../formats/gguf/encode"
import type { GgufTensorSource } from "../formats/gguf/write"
import { type JsonRecord } from "../lib/json"
import type { TextArchitecture, ConversionFacts, NamedValues } from "./architectures/architecture"
import { setCommonFields } from "./architectures/common"
import { findArchitecture, knownArchitectures } from "./architectures/index"
import { ggufName, isLeftOut, isOtherMedia } from "./architectures/names"
import { setCardFields } from "./card/card"
import { countParameters } from "./card/size-label"
import { MetadataFields } from "./fields"
import { HfCheckpoint } from "./source/checkpoint"
import { type HfConfig, textConfig } from "./source/config"
import type { HfFolder } from "./source/folder"
import { readPooling } from "./source/pooling"
import { withStackedExperts } from "./tensors/experts"
import type { WeightType } from "./tensors/floats"
import { plainTensors } from "./tensors/float8"
import { elementsOf } from "./tensors/values"
import { weightSource, weightTypeOf } from "./tensors/weights"
import { readTokenizerFiles } from "./tokenizer/files"
import { readVocabulary, setVocabularyFields } from "./tokenizer/read-vocabulary"
import { setSpecialFields } from "./tokenizer/special"
import type { GgufVocabulary } from "./tokenizer/vocabulary"

/** The types that a caller can ask for; `auto` is that of the source. */
export const OUT_TYPES = ["auto", "f32", "f16", "bf16", "q8_0"] as const
export type OutType = (typeof OUT_TYPES)[number]

export interface PlanOptions {
  readonly outType?: OutType
  /** The pre-tokenizer, where it is not recognized. */
  readonly pre?: string
  /** `general.name`. */
  readonly name?: string
  /** The repository that the folder was pulled from. */
  readonly repository?: string
}

/** What converting a folder will write. */
export interface ConversionPlan extends AsyncDisposable {
  readonly architecture: string
  readonly type: WeightType
  readonly fields: readonly GgufField[]
  readonly tensors: readonly GgufTensorSource[]
  readonly parameters: number
  /** Of the tensors. */
  readonly bytes: number
  readonly warnings: readonly string[]
}

/** `general.file_type`. */
const FILE_TYPES: Readonly<Record<WeightType, number>> = { F32: 0, F16: 1, Q8_0: 7, BF16: 32 }
const QUANTIZATION_VERSION = 2
/** ggml's own limits. */
const MAX_NAME_BYTES = 63
const MAX_DIMENSIONS = 4

/**
 * Reads all but the numbers of a folder's weights, and plans the GGUF. Its files stay open until the plan is disposed of.
 * @throws CannotConvert for models that are not known; InvalidModelFile for damaged ones
 */
export async function planGguf(folder: HfFolder, options: PlanOptions = {}): Promise<ConversionPlan> {
  try {
    return await plan(folder, options)
  } catch (error) {
    // Views of tensors, and tables of tokens, tell of sizes that cannot be with errors of their own.
    throw error instanceof RangeError ? new InvalidModelFile(folder.path, error.message) : error
  }
}

async function plan(folder: HfFolder, options: PlanOptions): Promise<ConversionPlan> {
  const warnings: string[] = []
  const raw = await readConfig(folder)
  const { architecture, config } = knownModel(folder, raw)
  const files = await readTokenizerFiles(folder)
  const vocabulary = await readVocabulary({
    files,
    config: config.values,
    kinds: architecture.tokenizers,
    pre: options.pre,
    warn: (message) => warnings.push(message),
  })
  const facts: ConversionFacts = {
    config,
    name: architecture.name,
    tokens: vocabulary.tokens.length,
    pooling: await readPooling(folder),
    tokenId: idsOf(vocabulary),
    isReranker: await isReranker(folder, config),
  }
  const checkpoint = await HfCheckpoint.open(folder)
  try {
    const named = namedTensors(folder, checkpoint, architecture, facts, warnings)
    const type = wantedType(options.outType ?? "auto", checkpoint)
    const fields = new MetadataFields()
    fields.text("general.architecture", architecture.name)
    fields.text("general.type", "model")
    await setCardFields(fields, {
      folder,
      config: raw,
      parameters: countParameters(named.map(({ name, values }) => ({ name, shape: values.shape }))),
      name: options.name,
      repository: options.repository,
    })
    setCommonFields(fields, architecture.name, config)
    fields.u32("general.file_type", FILE_TYPES[type])
    architecture.fields?.(fields, facts)
    fields.u32("general.quantization_version", QUANTIZATION_VERSION)
    setVocabularyFields(fields, vocabulary)
    await setSpecialFields(fields, files, raw, vocabulary.tokens.length)
    architecture.tokenizerFields?.(fields, facts)
    const tensors = named.map((tensor) => weightSource(tensor, weightTypeOf(tensor, type)))
    return {
      architecture: architecture.name,
      type,
      fields: fields.entries(),
      tensors,
      parameters: named.reduce((sum, { values }) => sum + elementsOf(values.shape), 0),
      bytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
      warnings,
      [Symbol.asyncDispose]: () => checkpoint[Symbol.asyncDispose](),
    }
  } catch (error) {
    await checkpoint[Symbol.asyncDispose]()
    throw error
  }
}

async function readConfig(folder: HfFolder): Promise<JsonRecord> {
  const raw = await folder.json("config.json")
  if (raw !== undefined) return raw
  const [pickle] = folder.pickles
  const instead = pickle === undefined ? "" : ` (only '${pickle}', a pickle, which is never read)`
  throw new CannotConvert(folder.path, `it is not a model from Hugging Face: it has no config.json${instead}`)
}

function knownModel(
  folder: HfFolder,
  raw: JsonRecord,
): { readonly architecture: TextArchitecture; readonly config: HfConfig } {
  const config = textConfig(join(folder.path, "config.json"), raw)
  const architecture = findArchitecture(config.architecture)
  if (architecture === undefined)
    throw new CannotConvert(
      folder.path,
      `models of the class '${config.architecture}' cannot be converted; those of these architectures can: ` +
        knownArchitectures().join(", "),
    )
  return {
    architecture,
    config: architecture.defaults === undefined ? config : config.withDefaults(architecture.defaults),
  }
}

function refusal(folder: HfFolder): (method: string) => Error {
  return (method) =>
    new CannotConvert(
      folder.path,
      `its weights are quantized already (${method}), which cannot be converted; use the model that it was made from`,
    )
}

function idsOf({ tokens }: GgufVocabulary): (text: string) => number | undefined {
  return (text) => {
    const id = tokens.indexOf(text)
    return id < 0 ? undefined : id
  }
}

async function isReranker(folder: HfFolder, config: HfConfig): Promise<boolean> {
  if (config.architecture.toLowerCase().includes("sequenceclassification")) return true
  const names = [folder.name, config.text("_name_or_path") ?? ""]
  if (names.some((name) => name.toLowerCase().includes("qwen3-reranker"))) return true
  return (await folder.text("README.md"))?.toLowerCase().includes("# qwen3-reranker") ?? false
}

/** Embeddings say nothing: the first weights that are 16 bits wide decide. */
function wantedType(outType: OutType, { tensors }: HfCheckpoint): WeightType {
  if (outType !== "auto") return outType.toUpperCase() as WeightType
  const found = tensors.find(({ shape, dtype }) => shape.length >= 2 && (dtype === "BF16" || dtype === "F16"))
  return found?.dtype === "BF16" ? "BF16" : "F16"
}

function namedTensors(
  folder: HfFolder,
  { tensors }: HfCheckpoint,
  architecture: TextArchitecture,
  facts: ConversionFacts,
  warnings: string[],
): readonly NamedValues[] {
  const { config } = facts
  const out = [...(architecture.extra?.(config) ?? [])]
  let others = 0
  const kept = plainTensors(tensors, config, refusal(folder)).filter(({ name }) => {
    if (isOtherMedia(plainName(name))) others++
    return !isLeftOut(plainName(name)) && renamed(name, architecture, config) !== undefined
  })
  for (const { name, values } of withStackedExperts(kept, config)) {
    const plain = renamed(name, architecture, config)
    if (plain === undefined) continue
    const found = ggufName(plain, architecture.names)
    if (found === undefined)
      throw new InvalidModelFile(
        folder.path,
        `the tensor '${name}' is not known to the architecture '${architecture.name}'`,
      )
    out.push(...(architecture.change?.({ name: found, values }, facts) ?? [{ name: found, values }]))
  }
  if (others > 0)
    warnings.push(`only the text part is converted: ${others} tensors for images or sounds are left out`)
  check(folder, out, facts)
  return out
}

/** Parts of multimodal models have names of their own. */
function plainName(name: string): string {
  return name.replace("language_model.", "").replace(/e_score_correction_bias$/, "e_score_correction.bias")
}

function renamed(name: string, { rename }: TextArchitecture, config: HfConfig): string | undefined {
  return rename === undefined ? plainName(name) : rename(plainName(name), config)
}

function check(folder: HfFolder, tensors: readonly NamedValues[], { config, tokens }: ConversionFacts): void {
  const fail = (reason: string) => new InvalidModelFile(folder.path, reason)
  const names = new Map(tensors.map((tensor) => [tensor.name, tensor]))
  if (names.size < tensors.length) throw fail("two tensors get the same name")
  for (const { name, values } of tensors) {
    if (Buffer.byteLength(name) > MAX_NAME_BYTES) throw fail(`the name '${name}' is too long`)
    if (values.shape.length > MAX_DIMENSIONS || values.shape.length === 0)
      throw fail(`the tensor '${name}' has ${values.shape.length} dimensions`)
    if (elementsOf(values.shape) === 0) throw fail(`the tensor '${name}' is empty`)
    const width = config.count("hidden_size", "n_embd", "dim")
    const isNorm = /^(?:output_norm|token_embd_norm|blk\.\d+\.(?:attn_norm|ffn_norm))\.weight$/.test(name)
    if (isNorm && values.shape.join() !== String(width))
      throw fail(`the tensor '${name}' has the shape ${values.shape.join(" × ")} instead of ${width}`)
  }
  const embeddings = names.get("token_embd.weight")
  if (embeddings === undefined) throw fail("it has no embeddings of tokens")
  const rows = embeddings.values.shape[0] ?? 0
  if (rows !== tokens)
    throw fail(`the tensor 'token_embd.weight' has ${rows} rows, but the vocabulary has ${tokens} tokens`)
  for (let layer = 0; layer < config.layers; layer++) {
    const isThere = tensors.some(({ name }) => name.startsWith(`blk.${layer}.`))
    if (!isThere) throw fail(`the layer ${layer} of ${config.layers} is missing`)
  }
  const beyond = tensors.find(({ name }) => Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? 0) >= config.layers)
  if (beyond !== undefined) throw fail(`the tensor '${beyond.name}' is beyond the ${config.layers} layers`)
}
