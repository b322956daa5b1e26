import type { EncoderShape, ProjectorFacts } from "../../domain/projector"
import { InvalidModelFile } from "../../errors/model"
import { projectorFault } from "./projector-faults"
import type { GgufHeader, GgufTensorInfo } from "./types"

/** A kind of projector, of which all but the text models that it is for has a usual value. */
interface Family {
  /** The architectures of the text models that it is for; absent: any of the same width. */
  readonly models?: RegExp
  /** The tensor whose dimension is the width of the embeddings; absent: the metadata say it. */
  readonly width?: readonly [name: string, dimension: 0 | 1]
  /** Patches on each side of what becomes one embedding, where no key says it. */
  readonly merge?: number
  /** Are all units of a picture of the same size? */
  readonly isFixed?: boolean
}

const LLAVA = ["mm.2.weight", 1] as const
const MERGER = ["mm.2.bias", 0] as const
const SOUND = ["mm.a.mlp.2.weight", 1] as const

/** Those of which something is known besides the metadata (clip.cpp of llama.cpp, and its converter). */
const FAMILIES: Readonly<Record<string, Family>> = {
  mlp: { width: LLAVA, isFixed: true },
  gemma3: { models: /^gemma3$/, width: ["mm.input_projection.weight", 0], merge: 4, isFixed: true },
  gemma3nv: { models: /^gemma3n$/, width: ["mm.input_projection.weight", 0] },
  gemma3na: { models: /^gemma3n$/ },
  gemma4v: { models: /^gemma4$/, width: ["mm.input_projection.weight", 1], merge: 3 },
  gemma4uv: { models: /^gemma4$/, width: ["mm.input_projection.weight", 1], merge: 3 },
  gemma4a: { models: /^gemma4$/ },
  gemma4ua: { models: /^gemma4$/ },
  // Sarashina 2 is a llama with the eyes of Qwen 2.
  qwen2vl_merger: { models: /^(qwen2vl|llama)$/, width: MERGER, merge: 2 },
  "qwen2.5vl_merger": { models: /^qwen2vl$/, width: MERGER, merge: 2 },
  "qwen2.5o": { models: /^qwen2vl$/, merge: 2 },
  qwen3vl_merger: { models: /^(qwen3vl|qwen3vlmoe|qwen35|qwen35moe)$/, width: MERGER, merge: 2 },
  glm4v: { models: /^glm4(moe)?$/, merge: 2 },
  llama4: { models: /^llama4$/, width: ["mm.model.fc.weight", 1], isFixed: true },
  cogvlm: { models: /^cogvlm$/ },
  idefics3: { width: ["mm.model.fc.weight", 1], isFixed: true },
  internvl: { width: ["mm.model.mlp.3.weight", 1], isFixed: true },
  pixtral: { width: LLAVA },
  lfm2: { width: LLAVA, merge: 2 },
  ultravox: { width: SOUND },
  voxtral: { width: SOUND },
  qwen2a: { width: ["mm.a.fc.weight", 1] },
}

/** Text models whose positions have several dimensions: pictures in them come from projectors made for that. */
const SEVERAL_DIMENSIONS = /^(qwen2vl|qwen3vl|qwen3vlmoe)$/

/** @throws InvalidModelFile where it is no projector that llama.cpp could load without ending the process */
export function describeProjector(path: string, header: GgufHeader): ProjectorFacts {
  const fault = projectorFault(header)
  if (fault !== undefined) throw new InvalidModelFile(path, fault)
  const { metadata, tensors } = header
  const sees = metadata.get("clip.has_vision_encoder") === true
  const hears = metadata.get("clip.has_audio_encoder") === true
  const families = familiesOf(header)
  const side = sees ? "vision" : "audio"
  return {
    families,
    sees,
    hears,
    parameterCount: tensors.reduce((sum, { elements }) => sum + elements, 0),
    embeddingLength: numberOf(header, `clip.${side}.embedding_length`) ?? 0,
    dimensions: widthOf(header, families, side),
    encoder: encoderOf(header, families, side),
  }
}

function familiesOf({ metadata }: GgufHeader): readonly string[] {
  const common = metadata.get("clip.projector_type")
  if (typeof common === "string" && common !== "") return [common]
  return ["vision", "audio"].flatMap((side) => {
    const own = metadata.get(`clip.${side}.projector_type`)
    return typeof own === "string" ? [own] : []
  })
}

function widthOf(header: GgufHeader, families: readonly string[], side: string): number {
  for (const family of families) {
    const [name, dimension] = FAMILIES[family]?.width ?? []
    const tensor = header.tensors.find((other: GgufTensorInfo) => other.name === name)
    const width = dimension === undefined ? undefined : tensor?.shape[dimension]
    if (width !== undefined) return width
  }
  return numberOf(header, `clip.${side}.projection_dim`) ?? 0
}

function encoderOf(header: GgufHeader, families: readonly string[], side: string): EncoderShape {
  const family = families.map((name) => FAMILIES[name]).find((known) => known !== undefined)
  const vision = (key: string) => numberOf(header, `clip.vision.${key}`)
  const merge = vision("projector.scale_factor") ?? vision("spatial_merge_size") ?? family?.merge ?? 1
  const patches = Math.floor((vision("image_size") ?? 0) / Math.max(1, vision("patch_size") ?? 1))
  return {
    feedForwardLength: numberOf(header, `clip.${side}.feed_forward_length`) ?? 0,
    heads: numberOf(header, `clip.${side}.attention.head_count`) ?? 0,
    patchesPerCell: merge ** 2,
    ...(side === "vision" &&
      family?.isFixed === true && { cells: Math.max(1, Math.floor(patches / merge) ** 2) }),
  }
}

function numberOf({ metadata }: GgufHeader, key: string): number | undefined {
  const value = metadata.get(key)
  return typeof value === "number" ? value : undefined
}

/** What of a text model a projector must fit. */
export interface ProjectorBase {
  readonly architecture: string
  readonly embeddingLength: number
}

/**
 * Why a projector is not for a text model, as what follows "it"; undefined: it is, as far as the files say. llama.cpp
 * compares the widths only, and answers nonsense with a projector of another family.
 * @param model what the model is called in a sentence
 */
export function projectorMisfit(
  { families, dimensions, sees }: Pick<ProjectorFacts, "families" | "dimensions" | "sees">,
  { architecture, embeddingLength }: ProjectorBase,
  model: string,
): string | undefined {
  const known = families.flatMap((family) => FAMILIES[family]?.models ?? [])
  const isOther = known.length > 0 && !known.some((models) => models.test(architecture))
  if (isOther || (sees && known.length === 0 && SEVERAL_DIMENSIONS.test(architecture)))
    return `is of the kind '${families.join(" and ")}', which is not for models of the architecture '${architecture}'`
  if (dimensions > 0 && dimensions !== embeddingLength)
    return `makes embeddings of ${dimensions} numbers, and those of ${model} have ${embeddingLength}`
  return undefined
}

/** Bytes of a number. */
const F32 = 4
/** Measured with towers of 1,024 and 4,096 patches: what a layer keeps for each patch, in multiples of its width. */
const COPIES = { embedding: 5, feedForward: 2 }
/** A sound of half a minute, the most that is encoded at once, has this many frames. */
const FRAMES = 1500

/**
 * An estimate of the buffers in which the largest picture or sound is encoded.
 * @param mostCells of one unit of a picture, where its size decides
 */
export function encoderBytes(
  { sees, embeddingLength, encoder }: Pick<ProjectorFacts, "sees" | "embeddingLength" | "encoder">,
  { mostCells, flashAttention }: { readonly mostCells: number; readonly flashAttention: boolean },
): number {
  const patches = sees ? (encoder.cells ?? mostCells) * encoder.patchesPerCell : FRAMES
  const perPatch = COPIES.embedding * embeddingLength + COPIES.feedForward * encoder.feedForwardLength
  const scores = flashAttention ? 0 : patches * encoder.heads
  return F32 * patches * (perPatch + scores)
}
