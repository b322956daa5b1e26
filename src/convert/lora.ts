import { join } from "node:path"
import { CannotConvert } from "../errors/convert"
import { InvalidModelFile } from "../errors/model"
import { readGgufHeader } from "../formats/gguf/read"
import type { JsonRecord } from "../lib/json"
import { pairedHeads } from "./architectures/common"
import { architectureNamed } from "./architectures/index"
import { ggufName } from "./architectures/names"
import { MetadataFields } from "./fields"
import type { ConversionPlan } from "./plan"
import { HfCheckpoint } from "./source/checkpoint"
import { HfConfig } from "./source/config"
import type { HfFolder } from "./source/folder"
import { elementsOf, fileValues, type TensorValues } from "./tensors/values"
import { weightSource } from "./tensors/weights"

/** The attention of the model that an adapter is for. */
export interface AttentionShape {
  readonly architecture: string
  readonly heads: number
  readonly keyValueHeads: number
}

/** Folders of adapters as the library PEFT writes them have this file. */
const ADAPTER_CONFIG = "adapter_config.json"

/** Architectures whose queries and keys have their rows in another order in a GGUF. */
const PAIRED: ReadonlySet<string> = new Set(["llama", "smollm3", "granite"])

/** The base of an adapter: the first file of a GGUF. @throws InvalidModelFile */
export function adapterBase(path: string): AttentionShape {
  const { metadata } = readGgufHeader(path)
  const architecture = metadata.get("general.architecture")
  const number = (key: string) => metadata.get(`${String(architecture)}.attention.${key}`)
  const heads = number("head_count")
  const keyValueHeads = number("head_count_kv") ?? heads
  if (typeof architecture !== "string" || typeof heads !== "number" || typeof keyValueHeads !== "number")
    throw new InvalidModelFile(path, "it does not say how many heads its attention has")
  return { architecture, heads, keyValueHeads }
}

/**
 * Plans the GGUF of a LoRA adapter that PEFT wrote. Its files stay open until the plan is disposed of.
 * @throws CannotConvert for other kinds of adapters; InvalidModelFile for damaged ones
 */
export async function planAdapter(folder: HfFolder, base: AttentionShape): Promise<ConversionPlan> {
  const raw = await folder.json(ADAPTER_CONFIG)
  if (raw === undefined)
    throw new CannotConvert(folder.path, `it is not an adapter: it has no ${ADAPTER_CONFIG}`)
  const config = new HfConfig(join(folder.path, ADAPTER_CONFIG), raw)
  refuseOthers(folder, raw)
  const architecture = architectureNamed(base.architecture)
  if (architecture === undefined)
    throw new CannotConvert(
      folder.path,
      `adapters for the architecture '${base.architecture}' cannot be converted`,
    )
  const checkpoint = await HfCheckpoint.open(folder, "adapter_model")
  try {
    const pairs = pairsOf(folder, checkpoint)
    const rank = config.count("r")
    const alpha = config.number("lora_alpha")
    const fields = new MetadataFields()
    fields.text("general.architecture", base.architecture)
    fields.text("general.type", "adapter")
    fields.text("general.name", folder.name)
    fields.text("adapter.type", "lora")
    // llama.cpp divides by the rank; adapters whose rank was stabilized are divided by its root.
    fields.f32("adapter.lora.alpha", config.flag("use_rslora") === true ? alpha * Math.sqrt(rank) : alpha)
    const tensors = [...pairs].flatMap(([module, { a, b }]) => {
      const name = ggufName(`${module}.weight`, architecture.names)
      if (name === undefined)
        throw new InvalidModelFile(
          folder.path,
          `the module '${module}' is not known to '${base.architecture}'`,
        )
      if (
        a === undefined ||
        b === undefined ||
        a.shape.length !== 2 ||
        b.shape.length !== 2 ||
        a.shape[0] !== b.shape[1]
      )
        throw new InvalidModelFile(
          folder.path,
          `the module '${module}' has no two matrices that belong together`,
        )
      return [
        weightSource({ name: `${name}.lora_a`, values: a }, "F32"),
        weightSource({ name: `${name}.lora_b`, values: inOrder(b, name, base, config) }, "F32"),
      ]
    })
    if (tensors.length === 0) throw new InvalidModelFile(folder.path, "it has no matrices")
    return {
      architecture: base.architecture,
      type: "F32",
      fields: fields.entries(),
      tensors,
      parameters: tensors.reduce((sum, { shape }) => sum + elementsOf(shape), 0),
      bytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
      warnings: [],
      [Symbol.asyncDispose]: () => checkpoint[Symbol.asyncDispose](),
    }
  } catch (error) {
    await checkpoint[Symbol.asyncDispose]()
    throw error instanceof RangeError ? new InvalidModelFile(folder.path, error.message) : error
  }
}

function refuseOthers(folder: HfFolder, config: JsonRecord): void {
  const refuse = (reason: string) => new CannotConvert(folder.path, reason)
  const type = config["peft_type"]
  if (type !== undefined && type !== "LORA")
    throw refuse(`it is an adapter of the type '${String(type)}'; only LORA is known`)
  if (config["use_dora"] === true)
    throw refuse("it is a DoRA adapter, whose magnitudes llama.cpp does not know")
  const modules = config["modules_to_save"]
  if (Array.isArray(modules) && modules.length > 0)
    throw refuse(
      `it replaces whole modules (modules_to_save: ${modules.map(String).join(", ")}), which an adapter in a GGUF cannot`,
    )
}

interface Pair {
  a?: TensorValues
  b?: TensorValues
}

/** The two matrices of each module. */
function pairsOf(folder: HfFolder, { tensors }: HfCheckpoint): ReadonlyMap<string, Pair> {
  const pairs = new Map<string, Pair>()
  for (const tensor of tensors) {
    if (tensor.name.includes(".base_layer.")) continue
    const [, module, matrix] =
      /^(?:base_model\.model\.)?(.+)\.lora_(A|B)(?:\.default)?\.weight$/.exec(tensor.name) ?? []
    if (module === undefined)
      throw new InvalidModelFile(folder.path, `the tensor '${tensor.name}' is no matrix of an adapter`)
    const pair = pairs.get(module) ?? {}
    pairs.set(module, pair)
    pair[matrix === "A" ? "a" : "b"] = fileValues(tensor)
  }
  return pairs
}

function inOrder(values: TensorValues, name: string, base: AttentionShape, config: HfConfig): TensorValues {
  if (!PAIRED.has(base.architecture)) return values
  if (name.endsWith(".attn_q.weight")) return pairedHeads(values, base.heads, config)
  return name.endsWith(".attn_k.weight") ? pairedHeads(values, base.keyValueHeads, config) : values
}
