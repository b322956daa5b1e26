import type { GgufHeader, GgufScalarType, GgufTensorInfo } from "./types"

/** The general.architecture of projectors. */
const ARCHITECTURE = "clip"

/**
 * Why llama.cpp would end the process when it loads this projector, or encodes with it; undefined: nothing is known that
 * would. What it refuses by itself is left to it.
 */
export function projectorFault(header: GgufHeader): string | undefined {
  const architecture = header.metadata.get("general.architecture")
  if (architecture !== ARCHITECTURE)
    return `it is a ${String(architecture ?? "file without an architecture")}, not a projector`
  const sides = ["vision", "audio"].filter((side) => header.metadata.get(`clip.has_${side}_encoder`) === true)
  if (sides.length === 0) return "it has no encoder of pictures or sounds"
  return (
    typeFault(header) ??
    unknownType(header.tensors) ??
    first(sides, (side) => numberFault(header, side)) ??
    (sides.includes("vision") ? pictureFault(header) : undefined) ??
    (sides.includes("audio") ? soundFault(header) : undefined) ??
    first(sides, (side) => shapeFault(header, side))
  )
}

function first<T>(items: readonly T[], fault: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = fault(item)
    if (found !== undefined) return found
  }
  return undefined
}

const NUMBERS =
  /^clip\.(?:(?:vision|audio)\.(?:embedding_length|feed_forward_length|block_count|projection_dim|image_size|patch_size|image_min_pixels|image_max_pixels|preproc_min_tiles|preproc_max_tiles|preproc_image_size|attention\.head_count|attention\.head_count_kv|attention\.head_dim|projector\.scale_factor|spatial_merge_size|n_wa_pattern|window_size|num_mel_bins|projector\.stack_factor|chunk_size|conv_kernel_size|max_pos_emb)|minicpmv_query_num)$/

/** The types that llama.cpp reads, which ends the process where the file has another. */
const READ_AS: readonly (readonly [RegExp, GgufScalarType])[] = [
  [NUMBERS, "u32"],
  [/^clip\.minicpmv_version$/, "i32"],
  [/^clip\.(has_(vision|audio|gen_audio)_encoder|use_gelu|use_silu)$/, "bool"],
  [/^clip\.(vision|audio)\.attention\.layer_norm_epsilon$/, "f32"],
  [/^(clip\.((vision|audio)\.)?projector_type|clip\.vision\.mm_patch_merge_type)$/, "string"],
  [/^general\.(name|description)$/, "string"],
]

function typeFault({ metadata, types }: GgufHeader): string | undefined {
  return first([...metadata.keys()], (key) => {
    const [, wanted] = READ_AS.find(([pattern]) => pattern.test(key)) ?? []
    const given = types.get(key) ?? "array"
    return wanted === undefined || wanted === given
      ? undefined
      : `its ${key} is written as ${given}, not as ${wanted}`
  })
}

function unknownType(tensors: readonly GgufTensorInfo[]): string | undefined {
  const unknown = tensors.find(({ type }) => type.blockElements === 0)
  return unknown && `its tensor '${unknown.name}' is of an unknown type, ${unknown.type.name}`
}

/** Far above those of any projector, and far below what would overflow. */
const MOST = { width: 65_536, layers: 1024, pixels: 16_384, merge: 64 }

function numberOf({ metadata }: GgufHeader, key: string): number | undefined {
  const value = metadata.get(key)
  return typeof value === "number" ? value : undefined
}

/** A fault where a number is there, but not in the bounds. */
function outside(
  header: GgufHeader,
  key: string,
  { least = 1, most }: { readonly least?: number; readonly most: number },
): string | undefined {
  const value = numberOf(header, key)
  return value === undefined || (value >= least && value <= most)
    ? undefined
    : `its ${key} is ${value}; it must be ${least} to ${most}`
}

function numberFault(header: GgufHeader, side: string): string | undefined {
  const key = (name: string) => `clip.${side}.${name}`
  const bounds =
    outside(header, key("embedding_length"), { most: MOST.width }) ??
    outside(header, key("feed_forward_length"), { least: 0, most: 16 * MOST.width }) ??
    outside(header, key("block_count"), { least: 0, most: MOST.layers }) ??
    outside(header, key("projection_dim"), { least: 0, most: 16 * MOST.width }) ??
    outside(header, key("attention.head_count"), { most: MOST.width }) ??
    outside(header, key("attention.head_count_kv"), { most: MOST.width })
  if (bounds !== undefined) return bounds
  const width = numberOf(header, key("embedding_length"))
  const heads = numberOf(header, key("attention.head_count"))
  const hasOwnSize = numberOf(header, key("attention.head_dim")) !== undefined
  if (width !== undefined && heads !== undefined && !hasOwnSize && width % heads !== 0)
    return `its ${key("embedding_length")}, ${width}, cannot be shared by ${heads} heads`
  return undefined
}

/** Families that resize every picture to one size, and join patches into squares. */
const FIXED = /^(mlp|gemma3|idefics3|internvl|llama4)$/
const USUAL_MERGE: Readonly<Record<string, number>> = { gemma3: 4 }

function pictureFault(header: GgufHeader): string | undefined {
  const bounds =
    outside(header, "clip.vision.image_size", { most: MOST.pixels }) ??
    outside(header, "clip.vision.patch_size", { most: MOST.pixels }) ??
    outside(header, "clip.vision.preproc_image_size", { most: MOST.pixels }) ??
    outside(header, "clip.vision.projector.scale_factor", { most: MOST.merge }) ??
    outside(header, "clip.vision.spatial_merge_size", { most: MOST.merge })
  if (bounds !== undefined) return bounds
  const family = String(
    header.metadata.get("clip.projector_type") ?? header.metadata.get("clip.vision.projector_type"),
  )
  const size = numberOf(header, "clip.vision.image_size")
  const patch = numberOf(header, "clip.vision.patch_size")
  if (size === undefined || patch === undefined) return undefined
  if (size < patch) return `its pictures of ${size} pixels are smaller than its patches of ${patch}`
  return FIXED.test(family) ? gridFault(header, family, Math.floor(size / patch)) : undefined
}

/** @param side patches on each side of a picture */
function gridFault(header: GgufHeader, family: string, side: number): string | undefined {
  const merge = numberOf(header, "clip.vision.projector.scale_factor") ?? USUAL_MERGE[family] ?? 1
  if (side % merge !== 0) return `its ${side} × ${side} patches cannot be joined by ${merge} × ${merge}`
  const rows = header.tensors.find(({ name }) => name === "v.position_embd.weight")?.shape[1]
  return rows !== undefined && rows < side * side
    ? `it has ${rows} positions for ${side} × ${side} patches`
    : undefined
}

/** Half of the frames in half a minute of sound: what the encoder makes of it. */
const FRAMES = 1500
/** Families that stack frames. */
const STACKING = /^(ultravox|voxtral|meralion)$/

function soundFault(header: GgufHeader): string | undefined {
  const stack = numberOf(header, "clip.audio.projector.stack_factor")
  const bounds =
    outside(header, "clip.audio.num_mel_bins", { most: 1024 }) ??
    outside(header, "clip.audio.projector.stack_factor", { most: FRAMES })
  if (bounds !== undefined) return bounds
  const family = String(
    header.metadata.get("clip.projector_type") ?? header.metadata.get("clip.audio.projector_type"),
  )
  return stack !== undefined && STACKING.test(family) && FRAMES % stack !== 0
    ? `it joins ${stack} frames at a time, which does not go into ${FRAMES}: llama.cpp cannot do that`
    : undefined
}

/** The parts of a layer that have the encoder's width: `in` as the contiguous dimension, `out` as the other. */
const LAYER_PARTS: Readonly<Record<string, "in" | "out" | "vector">> = {
  "attn_q.weight": "in",
  "attn_k.weight": "in",
  "attn_v.weight": "in",
  "attn_qkv.weight": "in",
  "attn_out.weight": "out",
  "ln1.weight": "vector",
  "ln1.bias": "vector",
  "ln2.weight": "vector",
  "ln2.bias": "vector",
}
const LAYER = /^(?<tower>[va])\.blk\.\d+\.(?<part>.+)$/

/** Only what the metadata promise: llama.cpp multiplies what it finds. */
function shapeFault(header: GgufHeader, side: string): string | undefined {
  const width = numberOf(header, `clip.${side}.embedding_length`)
  if (width === undefined) return undefined
  const vectors = new Map(
    header.tensors.filter(({ shape }) => shape.length === 1).map(({ name, shape }) => [name, shape[0]]),
  )
  return first(header.tensors, ({ name, shape }) => {
    const { tower, part = "" } = LAYER.exec(name)?.groups ?? {}
    if (tower !== side[0]) return undefined
    const place = LAYER_PARTS[part]
    const given = place === "out" ? shape[1] : shape[0]
    if (place !== undefined && given !== width)
      return `its tensor '${name}' has ${shape.join(" × ")} numbers, and its encoder is ${width} wide`
    const bias = vectors.get(name.replace(/weight$/, "bias"))
    return shape.length === 2 && bias !== undefined && bias !== shape[1]
      ? `its tensor '${name}' makes ${shape[1]} numbers, to which ${bias} are added`
      : undefined
  })
}
