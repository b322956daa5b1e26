import { bytesOfParts } from "../../domain/attached-parts"
import {
  type EmbeddingModelDetails,
  type GgufDetails,
  type ImageModelDetails,
  loadedBytes,
  type ModelDetails,
  type TextModelDetails,
} from "../../domain/model"
import type { KvPlan, TextModelSettings } from "../../domain/settings"
import { embeddingBytes, type EmbeddingShape } from "../../formats/embedding-memory"
import { encoderBytes } from "../../formats/gguf/projector"
import {
  attentionBytesPerCell,
  cellsPerSequence,
  hasPlainCache,
  KV_BYTES,
  leastContextBytes,
  MICRO_BATCH_TOKENS,
  mostOutputs,
  planLayout,
  withWholeConversation,
} from "../../formats/kv-layout"

/**
 * A worker's memory besides the model: the runtime, the libraries and their heaps, without the pages of the program
 * that all of its processes share. Measured after the load of a text model: 92 MiB.
 */
const PROCESS_BYTES = 64 * 1024 ** 2
const TEXT_PROCESS_BYTES = 96 * 1024 ** 2

/** The tables of llama.cpp's tokenizer, for each token. Measured: 20 MB for 49,152 tokens, 62 MB for 151,936. */
const VOCABULARY_BYTES_PER_TOKEN = 400

/**
 * The same for a speech worker, plus what ONNX Runtime takes for computing besides another copy of the weights.
 * Measured with a Piper voice (63 MB: 160 MB resident after the load, 540 MB after long texts) and with Kokoro
 * (92 MB: 244 and 690 MB); how long the pieces of a text may be is chosen for that.
 */
const SPEECH_PROCESS_BYTES = 96 * 1024 ** 2
const SPEECH_COMPUTE_BYTES = { tts: 320 * 1024 ** 2, asr: 64 * 1024 ** 2 }

/** The backends in stable-diffusion.cpp's package; plans for simulated GPUs are made as well. */
const IMAGE_BACKENDS = ["Vulkan", "Metal", "simulated"]

/** Image sides in pixels that the architectures were trained for; any other counts as large. */
const IMAGE_EDGES: Readonly<Record<string, number>> = { sd1: 512, sd2: 768 }
const LARGE_IMAGE_EDGE = 1024

/** Without tiling: stable-diffusion.cpp reports 1664 MiB for 512 x 512 pixels, and scales with the area. */
const DECODING_BYTES_PER_PIXEL = 6656

/** Rows as wide as the embedding that a pass of the graph has in memory for each token, about. */
const ACTIVATION_ROWS = 12

/** Bytes per number in activations, logits and recurrent states: all are f32. */
const F32_BYTES = 4

/**
 * Every n-th layer of these architectures sees the whole context, the others a sliding window (`set_swa_pattern` in
 * llama.cpp's llama-model.cpp). For all others every layer counts as full: an upper bound.
 */
const WINDOW_PATTERNS: Readonly<Record<string, number>> = {
  gemma2: 2,
  gemma3: 6,
  cohere2: 4,
  olmo2: 4,
  "gpt-oss": 2,
}

/** Architectures all of whose layers keep a state, whatever their files say of heads (llama.cpp's llama-arch.cpp). */
const RECURRENT: ReadonlySet<string> = new Set(["mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"])

/** What a model needs before it was ever loaded, estimated from its file. Sizes are bytes. */
export interface ModelNeed {
  /** Backends whose GPUs its engine can use, by llama.cpp's names; `null`: all. Empty: it computes on the CPU. */
  readonly backends: readonly string[] | null
  /** Parts that can be put on a GPU: the repeating layers and the output. */
  readonly layers: number
  /** Weights of one layer, with its share of the attached parts: llama.cpp puts an adapter's tensors beside those that they change. */
  readonly layerBytes: number
  /** The KV cache of all layers. */
  readonly cacheBytes: number
  /** Buffers on every device that computes. */
  readonly computeBytes: number
  /** The part of those buffers that exists only while there is work; the rest exists from the load on. */
  readonly transientBytes: number
  /** The worker process itself. */
  readonly processBytes: number
  /** A lower bound for the context, however pessimistic the other estimates; 0 where unknown. */
  readonly leastContextBytes: number
  /** `null`: its engine has none. */
  readonly kv: KvPlan | null
}

/** Memory for a KV cache, in bytes. */
export interface CacheSpace {
  /** What the weights leave of the memory that is to hold it: how far it may grow depends on that. */
  readonly freeBytes: number
  /** Memory that layers and their cache may be moved to. */
  readonly otherBytes?: number
}

export function estimateNeed(
  details: ModelDetails,
  settings: TextModelSettings,
  space: CacheSpace,
): ModelNeed {
  if (details.kind === "embedding") return embeddingNeed(details, settings)
  if (details.kind !== "text") return mediaNeed(details)
  const layers = details.layers + 1
  const kv = planCache(details, settings, space)
  // The mask of the first context is small beside the other buffers, the scores are not.
  const scores = settings.flashAttention === "off" ? cellsPerSequence(kv) * kv.computeBytesPerCell : 0
  return {
    backends: null,
    layers,
    layerBytes: loadedBytes(details) / layers,
    cacheBytes: kv.bytes,
    computeBytes: kv.computeBytes + scores + encodingBytes(details, settings),
    transientBytes: 0,
    processBytes: textProcessBytes(details),
    leastContextBytes: kv.certainBytes === 0 ? 0 : leastContextBytes(withWholeConversation(kv)),
    kv,
  }
}

/** The one plan of a text model's KV cache. */
export function planCache(details: TextModelDetails, settings: TextModelSettings, space: CacheSpace): KvPlan {
  const ownBytesPerCell = kvCellBytes(details, settings)
  // Its draft model has a cache of as many cells.
  const bytesPerCell = ownBytesPerCell * (1 + draftShare(details))
  const computeBytesPerCell = attentionBytesPerCell(details.heads, settings)
  const plan = planLayout({
    requestedContext: settings.contextLength,
    trainedContext: details.contextLength,
    slots: settings.slots,
    bytesPerCell,
    computeBytesPerCell,
    ...lessProcess(space, details, settings),
    layout: settings.kvLayout,
    cells: settings.kvCells,
  })
  const inCells = attentionBytes(details, plan.sequences, plan, bytesPerCell)
  const whole = wholeShare(details)
  const perWindow = windowOf(details) + MICRO_BATCH_TOKENS
  return {
    ...plan,
    bytes: Math.round(inCells + stateBytes(details, plan.sequences)),
    bytesPerCell: bytesPerCell * whole,
    bytesPerSequence: Math.round(
      (whole < 1 ? perWindow * (1 - whole) * bytesPerCell : 0) + stateBytes(details, 1),
    ),
    computeBytes: computeBytes(details, settings),
    computeBytesPerCell,
    certainBytes: certainBytes(details, plan.cells, ownBytesPerCell),
  }
}

/** The buffers of a model's projector: they exist from the load on. */
function encodingBytes(
  { projector }: Pick<TextModelDetails, "projector">,
  { flashAttention, pictureTokens }: Pick<TextModelSettings, "flashAttention" | "pictureTokens">,
): number {
  return projector === undefined
    ? 0
    : encoderBytes(projector, { mostCells: pictureTokens, flashAttention: flashAttention !== "off" })
}

/**
 * The KV cache of a model's draft as a share of its own, estimated from the sizes of their files, rather too large: the
 * weights of a layer grow with the square of its width, its cache at most with the width.
 */
function draftShare({ sizeBytes, parts = [] }: TextModelDetails): number {
  const drafts = bytesOfParts(parts.filter(({ role }) => role === "draft"))
  const weights = sizeBytes - bytesOfParts(parts)
  return weights > 0 ? Math.min(1, Math.sqrt(drafts / weights)) : 0
}

/** What the worker leaves of the memory, beside the weights. */
function lessProcess(
  { freeBytes, otherBytes }: CacheSpace,
  details: TextModelDetails,
  settings: TextModelSettings,
): CacheSpace {
  const others = computeBytes(details, settings) + encodingBytes(details, settings)
  const left = Math.max(0, freeBytes - others - textProcessBytes(details))
  return otherBytes === undefined ? { freeBytes: left } : { freeBytes: left, otherBytes }
}

/** Its context holds one pass of the graph, of texts of the usual length; longer ones have it ask for more. */
function embeddingNeed(details: EmbeddingModelDetails, settings: TextModelSettings): ModelNeed {
  const layers = details.layers + 1
  return {
    backends: null,
    layers,
    layerBytes: details.sizeBytes / layers,
    cacheBytes: 0,
    computeBytes: embeddingBytes(shapeOf(details, settings), MICRO_BATCH_TOKENS),
    transientBytes: 0,
    processBytes: PROCESS_BYTES,
    leastContextBytes: 0,
    kv: null,
  }
}

/** What its embedding context is estimated by: as if its texts were computed as a whole. */
function shapeOf(
  details: GgufDetails,
  { flashAttention }: Pick<TextModelSettings, "flashAttention">,
): EmbeddingShape {
  return {
    embeddingLength: details.embeddingLength,
    feedForwardLength: numberOf(details, "feed_forward_length") ?? 0,
    heads: details.heads,
    flashAttention: flashAttention !== "off",
    vocabulary: 0,
  }
}

/** Speech and image models count as one layer: their engines put a whole model on one device. */
function mediaNeed(details: Exclude<ModelDetails, GgufDetails>): ModelNeed {
  const isImage = details.kind === "image"
  const computeBytes = isImage
    ? drawingBytes(details)
    : SPEECH_COMPUTE_BYTES[details.kind] + loadedBytes(details)
  return {
    backends: isImage ? IMAGE_BACKENDS : [],
    layers: 1,
    layerBytes: loadedBytes(details),
    cacheBytes: 0,
    computeBytes,
    transientBytes: computeBytes,
    processBytes: isImage ? PROCESS_BYTES : SPEECH_PROCESS_BYTES,
    leastContextBytes: 0,
    kv: null,
  }
}

/** The largest buffer, by far, is the one that decodes an image of the model's native size. */
function drawingBytes({ architecture }: ImageModelDetails): number {
  const edge = IMAGE_EDGES[architecture] ?? LARGE_IMAGE_EDGE
  return edge * edge * DECODING_BYTES_PER_PIXEL
}

/** A number from the file's metadata, under the architecture's prefix. */
function numberOf({ architecture, metadata }: GgufDetails, key: string): number | undefined {
  const value = metadata[`${architecture}.${key}`]
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : undefined
}

/** Bytes per token in the KV cache, all layers together. */
export function kvCellBytes(details: TextModelDetails, settings: TextModelSettings): number {
  const widths = headWidths(details)
  if (widths === undefined) return 0
  const { keys, values, heads } = widths
  return details.layers * heads * (keys * KV_BYTES[settings.kvTypeK] + values * KV_BYTES[settings.kvTypeV])
}

/**
 * Numbers that the KV cache keeps per token and head, and the number of such heads in a layer; undefined: no cache.
 */
export function headWidths(
  details: TextModelDetails,
): { readonly keys: number; readonly values: number; readonly heads: number } | undefined {
  if (isRecurrent(details)) return undefined
  const usual = details.embeddingLength / Math.max(1, details.heads)
  return {
    keys: numberOf(details, "attention.key_length") ?? usual,
    values: numberOf(details, "attention.value_length") ?? usual,
    heads: numberOf(details, "attention.head_count_kv") ?? details.heads,
  }
}

/** Of layers with a window nothing counts here, of a cache that is not plain nothing at all. */
function certainBytes(details: TextModelDetails, cells: number, bytesPerCell: number): number {
  const { architecture, layers, metadata } = details
  const pattern = WINDOW_PATTERNS[architecture]
  const isPlain = hasPlainCache((key) =>
    pattern !== undefined && key === "attention.sliding_window"
      ? undefined
      : metadata[`${architecture}.${key}`],
  )
  if (!isPlain || isRecurrent(details)) return 0
  const whole = pattern === undefined ? 1 : Math.floor(layers / pattern) / Math.max(1, layers)
  return Math.floor(cells * bytesPerCell * whole)
}

/** A sliding-window layer has cells for its window and one pass of the graph, per sequence. */
function attentionBytes(
  details: TextModelDetails,
  slots: number,
  layout: Pick<KvPlan, "layout" | "cells">,
  bytesPerCell: number,
): number {
  const whole = wholeShare(details)
  if (whole === 1) return layout.cells * bytesPerCell
  const window = windowOf(details)
  const inWindows =
    layout.layout === "split" ? slots * (window + MICRO_BATCH_TOKENS) : slots * window + MICRO_BATCH_TOKENS
  return bytesPerCell * (whole * layout.cells + (1 - whole) * Math.min(layout.cells, inWindows))
}

/** The share of layers that see the whole context; the others see a sliding window. */
function wholeShare(details: TextModelDetails): number {
  const pattern = WINDOW_PATTERNS[details.architecture]
  if (windowOf(details) === 0 || pattern === undefined) return 1
  return Math.floor(details.layers / pattern) / Math.max(1, details.layers)
}

/** Tokens of the sliding window; 0: there is none. */
function windowOf(details: TextModelDetails): number {
  return numberOf(details, "attention.sliding_window") ?? 0
}

/** Does it keep a fixed state per sequence instead of a growing cache? */
function isRecurrent(details: TextModelDetails): boolean {
  if (RECURRENT.has(details.architecture)) return true
  return details.heads === 0 && numberOf(details, "ssm.state_size") !== undefined
}

/** The states of recurrent layers: the convolution's last inputs, and the state space itself. */
function stateBytes(details: TextModelDetails, slots: number): number {
  const state = numberOf(details, "ssm.state_size")
  if (state === undefined) return 0
  const inner = numberOf(details, "ssm.inner_size") ?? 2 * details.embeddingLength
  const kernel = numberOf(details, "ssm.conv_kernel") ?? 1
  return F32_BYTES * details.layers * slots * inner * (kernel - 1 + state)
}

function computeBytes(details: TextModelDetails, settings: TextModelSettings): number {
  const width = Math.max(details.embeddingLength, numberOf(details, "feed_forward_length") ?? 0)
  const activations = MICRO_BATCH_TOKENS * (ACTIVATION_ROWS * details.embeddingLength + 2 * width)
  const logits = 2 * mostOutputs(settings.slots) * vocabularySize(details)
  return F32_BYTES * (activations + logits)
}

function textProcessBytes(details: TextModelDetails): number {
  return TEXT_PROCESS_BYTES + vocabularySize(details) * VOCABULARY_BYTES_PER_TOKEN
}

/** Many files name it only by the length of their list of tokens. */
function vocabularySize(details: TextModelDetails): number {
  const { metadata } = details
  const listed = /^array of (\d+) /.exec(String(metadata["tokenizer.ggml.tokens"] ?? ""))?.[1]
  return numberOf(details, "vocab_size") ?? Number(listed ?? 0)
}
