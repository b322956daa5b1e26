import { type GgufEntry, type GgufTensor, writeGguf } from "../files/gguf-writer"
import { TensorMaker } from "../files/tiny-model"

/** Projectors with random weights: an encoder of two layers for pictures or sounds, and what follows it. */
export type TinyProjectorType = "gemma3" | "qwen2vl_merger" | "qwen3vl_merger" | "idefics3" | "ultravox"

export interface TinyProjectorOptions {
  /** The width of the text model that it is for. */
  readonly projection: number
  readonly seed?: number
  /** Entries that replace those of the same key, or come after all. */
  readonly entries?: readonly GgufEntry[]
  /** Names of tensors that are left out. */
  readonly without?: readonly string[]
}

const WIDTH = 64
const FEED_FORWARD = 128
const LAYERS = 2
const HEADS = 2

export function writeTinyProjector(
  path: string,
  type: TinyProjectorType,
  { projection, seed = 2, entries = [], without = [] }: TinyProjectorOptions,
): void {
  const { entries: own, tensors } = PROJECTORS[type](new TensorMaker(seed, "f32"), projection)
  const replaced = new Set(entries.map(([key]) => key))
  writeGguf(
    path,
    [...own.filter(([key]) => !replaced.has(key)), ...entries],
    tensors.filter(({ name }) => !without.includes(name)),
  )
}

export interface Tower {
  /** Pixels on each side of a picture and of a patch. */
  readonly size: number
  readonly patch: number
  readonly width: number
  readonly feedForward: number
  readonly heads: number
  readonly layers: number
  readonly projection: number
}

/** Writes a projector of any size with random weights: each patch of a picture becomes a cell. */
export function writeTower(path: string, tower: Tower): void {
  const { size, patch, width, feedForward, layers, projection } = tower
  const maker = new TensorMaker(3, "f32")
  const layer = (prefix: string) => [
    ...["attn_q", "attn_k", "attn_v", "attn_out"].map((part) =>
      maker.random(`${prefix}${part}.weight`, [width, width], 1),
    ),
    ...["ln1", "ln2"].flatMap((part) => [
      maker.ones(`${prefix}${part}.weight`, width),
      maker.filled(`${prefix}${part}.bias`, [width], () => 0),
    ]),
    maker.random(`${prefix}ffn_up.weight`, [width, feedForward], 1),
    maker.filled(`${prefix}ffn_up.bias`, [feedForward], () => 0),
    maker.random(`${prefix}ffn_down.weight`, [feedForward, width], 1),
    maker.filled(`${prefix}ffn_down.bias`, [width], () => 0),
  ]
  writeGguf(
    path,
    visionEntries({ type: "mlp", ...tower }).map((entry) =>
      // One layer is left out of what is encoded, as in LLaVA.
      entry[0] === "clip.vision.block_count" ? [entry[0], "u32", layers] : entry,
    ),
    [
      maker.filled("v.patch_embd.weight", [patch, patch, 3, width], () => maker.normal() / patch),
      maker.filled("v.position_embd.weight", [width, (size / patch) ** 2], () => maker.normal() / 3),
      ...Array.from({ length: layers }, (_, index) => layer(`v.blk.${index}.`)).flat(),
      maker.random("mm.0.weight", [width, projection], 1),
      maker.filled("mm.0.bias", [projection], () => 0),
      maker.random("mm.2.weight", [projection, projection], 0.1),
      maker.filled("mm.2.bias", [projection], () => 0),
    ],
  )
}

interface Content {
  readonly entries: readonly GgufEntry[]
  readonly tensors: readonly GgufTensor[]
}

const PROJECTORS: Readonly<Record<TinyProjectorType, (maker: TensorMaker, projection: number) => Content>> = {
  gemma3: (maker, projection) => ({
    entries: visionEntries({ type: "gemma3", size: 224, patch: 14, projection }),
    tensors: [
      ...patches(maker, 14, 1),
      bias(maker, "v.patch_embd.bias", WIDTH),
      positions(maker, 256),
      ...encoder(maker, "v", separate),
      ...norm(maker, "v.post_ln"),
      maker.filled("mm.input_projection.weight", [projection, WIDTH], () => maker.normal() * 0.3),
      maker.ones("mm.soft_emb_norm.weight", WIDTH),
    ],
  }),
  qwen2vl_merger: (maker, projection) => ({
    entries: visionEntries({ type: "qwen2vl_merger", size: 560, patch: 14, projection }),
    tensors: [
      ...patches(maker, 14, 2),
      ...encoder(maker, "v", separate),
      ...norm(maker, "v.post_ln"),
      ...merger(maker, "mm.0", "mm.2", projection),
    ],
  }),
  qwen3vl_merger: (maker, projection) => ({
    entries: [
      ...visionEntries({ type: "qwen3vl_merger", size: 224, patch: 16, projection }),
      ["clip.vision.spatial_merge_size", "u32", 2],
    ],
    tensors: [
      ...patches(maker, 16, 2),
      bias(maker, "v.patch_embd.bias", WIDTH),
      positions(maker, 196),
      ...encoder(maker, "v", fused),
      ...norm(maker, "v.post_ln"),
      ...merger(maker, "mm.0", "mm.2", projection),
      maker.ones("v.deepstack.1.norm.weight", 4 * WIDTH),
      maker.filled("v.deepstack.1.norm.bias", [4 * WIDTH], () => 0),
      ...merger(maker, "v.deepstack.1.fc1", "v.deepstack.1.fc2", projection),
    ],
  }),
  /** A picture becomes slices, each of which is a unit, with text between them. */
  idefics3: (maker, projection) => ({
    entries: [
      ...visionEntries({ type: "idefics3", size: 64, patch: 16, projection }),
      ["clip.vision.projector.scale_factor", "u32", 2],
      ["clip.vision.preproc_image_size", "u32", 256],
    ],
    tensors: [
      ...patches(maker, 16, 1),
      bias(maker, "v.patch_embd.bias", WIDTH),
      positions(maker, 16),
      ...encoder(maker, "v", separate),
      ...norm(maker, "v.post_ln"),
      maker.random("mm.model.fc.weight", [4 * WIDTH, projection], 1.6),
    ],
  }),
  /** Whisper's encoder of half a minute, four of whose frames become one embedding. */
  ultravox: (maker, projection) => {
    const stack = 4
    return {
      entries: [
        ["general.architecture", "string", "clip"],
        ["general.type", "string", "mmproj"],
        ["general.name", "string", "tiny ultravox"],
        ["clip.has_audio_encoder", "bool", true],
        ["clip.projector_type", "string", "ultravox"],
        ["clip.audio.embedding_length", "u32", WIDTH],
        ["clip.audio.feed_forward_length", "u32", FEED_FORWARD],
        ["clip.audio.block_count", "u32", LAYERS],
        ["clip.audio.attention.head_count", "u32", HEADS],
        ["clip.audio.attention.layer_norm_epsilon", "f32", 1e-5],
        ["clip.audio.projection_dim", "u32", projection],
        ["clip.audio.num_mel_bins", "u32", 80],
        ["clip.audio.projector.stack_factor", "u32", stack],
      ],
      tensors: [
        maker.filled("a.conv1d.1.weight", [3, 80, WIDTH], () => maker.normal() / 10),
        maker.filled("a.conv1d.1.bias", [1, WIDTH], () => maker.normal() / 10),
        maker.filled("a.conv1d.2.weight", [3, WIDTH, WIDTH], () => maker.normal() / 10),
        maker.filled("a.conv1d.2.bias", [1, WIDTH], () => maker.normal() / 10),
        maker.filled("a.position_embd.weight", [WIDTH, 1500], () => maker.normal() * 0.3),
        // Whisper's keys have no bias.
        ...encoder(maker, "a", separate).filter(({ name }) => !name.endsWith("attn_k.bias")),
        ...norm(maker, "a.post_ln"),
        maker.ones("mm.a.norm_pre.weight", WIDTH * stack),
        maker.random("mm.a.mlp.1.weight", [WIDTH * stack, 128], 1.6),
        maker.ones("mm.a.norm_mid.weight", 64),
        maker.random("mm.a.mlp.2.weight", [64, projection], 2.4),
      ],
    }
  },
}

export interface VisionEntries {
  readonly type: string
  readonly size: number
  readonly patch: number
  readonly projection: number
  readonly width?: number
  readonly feedForward?: number
  readonly heads?: number
}

/** The metadata that all encoders of pictures have. */
export function visionEntries({
  type,
  size,
  patch,
  projection,
  width = WIDTH,
  feedForward = FEED_FORWARD,
  heads = HEADS,
}: VisionEntries): GgufEntry[] {
  return [
    ["general.architecture", "string", "clip"],
    ["general.type", "string", "mmproj"],
    ["general.name", "string", `tiny ${type}`],
    ["clip.has_vision_encoder", "bool", true],
    ["clip.projector_type", "string", type],
    ["clip.vision.image_size", "u32", size],
    ["clip.vision.patch_size", "u32", patch],
    ["clip.vision.embedding_length", "u32", width],
    ["clip.vision.feed_forward_length", "u32", feedForward],
    ["clip.vision.block_count", "u32", LAYERS],
    ["clip.vision.attention.head_count", "u32", heads],
    ["clip.vision.attention.layer_norm_epsilon", "f32", 1e-6],
    ["clip.vision.projection_dim", "u32", projection],
    ["clip.vision.image_mean", "f32s", [0.5, 0.5, 0.5]],
    ["clip.vision.image_std", "f32s", [0.5, 0.5, 0.5]],
    ["clip.use_gelu", "bool", true],
  ]
}

/** The kernels that see a patch; two where a moment of a video has two frames. */
function patches(maker: TensorMaker, size: number, frames: 1 | 2): GgufTensor[] {
  return ["", ".1"]
    .slice(0, frames)
    .map((frame) =>
      maker.filled(`v.patch_embd.weight${frame}`, [size, size, 3, WIDTH], () => maker.normal() / 20),
    )
}

function positions(maker: TensorMaker, count: number): GgufTensor {
  return maker.filled("v.position_embd.weight", [WIDTH, count], () => maker.normal() * 0.3)
}

function bias(maker: TensorMaker, name: string, length: number): GgufTensor {
  return maker.filled(name, [length], () => maker.normal() / 10)
}

function norm(maker: TensorMaker, name: string): GgufTensor[] {
  return [maker.ones(`${name}.weight`, WIDTH), maker.filled(`${name}.bias`, [WIDTH], () => 0)]
}

function dense(maker: TensorMaker, name: string, from: number, to: number, gain = 1.2): GgufTensor[] {
  return [maker.random(`${name}.weight`, [from, to], gain), bias(maker, `${name}.bias`, to)]
}

type Attention = (maker: TensorMaker, prefix: string) => GgufTensor[]

const separate: Attention = (maker, prefix) =>
  ["q", "k", "v"].flatMap((part) => dense(maker, `${prefix}attn_${part}`, WIDTH, WIDTH))

const fused: Attention = (maker, prefix) => dense(maker, `${prefix}attn_qkv`, WIDTH, 3 * WIDTH)

function encoder(maker: TensorMaker, tower: "v" | "a", attention: Attention): GgufTensor[] {
  return Array.from({ length: LAYERS }, (_, layer) => {
    const prefix = `${tower}.blk.${layer}.`
    return [
      ...attention(maker, prefix),
      ...dense(maker, `${prefix}attn_out`, WIDTH, WIDTH),
      ...norm(maker, `${prefix}ln1`),
      ...norm(maker, `${prefix}ln2`),
      ...dense(maker, `${prefix}ffn_up`, WIDTH, FEED_FORWARD),
      ...dense(maker, `${prefix}ffn_down`, FEED_FORWARD, WIDTH, 1.7),
    ]
  }).flat()
}

/** Four neighbouring patches become one embedding. */
function merger(maker: TensorMaker, first: string, second: string, projection: number): GgufTensor[] {
  return [
    ...dense(maker, first, 4 * WIDTH, 4 * WIDTH, 1),
    ...dense(maker, second, 4 * WIDTH, projection, 1.6),
  ]
}
