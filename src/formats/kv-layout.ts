import type { KvLayout, KvPlan, KvType, TextModelSettings } from "../domain/settings"

/** Bytes per element, including its share of the block's scales: ggml's block sizes (ggml-common.h). */
export const KV_BYTES: Readonly<Record<KvType, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  q8_0: 34 / 32,
  q5_1: 24 / 32,
  q5_0: 22 / 32,
  q4_1: 20 / 32,
  q4_0: 18 / 32,
}

/** Tokens of one pass of the graph: llama.cpp's own default. */
export const MICRO_BATCH_TOKENS = 512

/** Logits rows that one decode may ask for beyond one per slot: prompts whose every token is scored need more. */
const LEAST_OUTPUTS = 64

/** Rows of logits that a context has room for. */
export function mostOutputs(slots: number): number {
  return Math.max(slots, LEAST_OUTPUTS)
}

/** llama.cpp counts cells in 32 bits, in places signed. */
export const MOST_CELLS = 2 ** 31 - 256

/** llama.cpp rounds a sequence's cells up to a multiple of this. */
export const CELL_ROUNDING = 256

/** Less is not worth a loss of precision. */
const LEAST_SAVING = 0.1

/** Layers leave the GPUs, if need be, for conversations of this length. */
const USUAL_CONTEXT = 8192

/** The shortest that is planned for want of memory. */
const LEAST_CONTEXT = 512

/** A cache starts with so many cells, for so many sequences. */
const FIRST_CELLS = 4096
const FIRST_SEQUENCES = 16

export interface LayoutInput {
  readonly requestedContext: number | null
  readonly trainedContext: number
  readonly slots: number
  readonly bytesPerCell: number
  readonly computeBytesPerCell: number
  /** Of the memory that is to hold the cache: all that it may have. */
  readonly freeBytes: number
  /** Of memory that layers are moved to, together with their cache, rather than that a usual context is given up. */
  readonly otherBytes?: number
  /** The configured layout; `null` to choose automatically. */
  readonly layout: KvLayout | null
  readonly cells: number | null
}

type LayoutPlan = Omit<
  KvPlan,
  "bytes" | "bytesPerCell" | "bytesPerSequence" | "computeBytes" | "computeBytesPerCell" | "certainBytes"
>

/** Plans the KV cache: one of a configured size is made at once, any other starts small and grows. */
export function planLayout(input: LayoutInput): LayoutPlan {
  return input.cells === null ? planGrowing(input) : planFixed(input, input.cells)
}

/**
 * Split (every slot has `contextLength` cells of its own) is faster for different prompts, because a sequence attends
 * only to its own cells; unified lets slots share what there is. There is room for at least one whole conversation.
 */
function planFixed(
  { requestedContext, trainedContext, slots, ...input }: LayoutInput,
  cells: number,
): LayoutPlan {
  const contextLength = requestedContext ?? Math.min(trainedContext, Math.max(LEAST_CONTEXT, cells))
  const perSlot = roundUp(contextLength)
  const layout = input.layout ?? (perSlot * slots <= cells ? "split" : "unified")
  const all = layout === "split" ? perSlot * slots : Math.max(perSlot, roundUp(cells))
  const layoutIsFixed = input.layout !== null
  return { layout, cells: all, sequences: slots, slots, contextLength, mostCells: all, layoutIsFixed }
}

/**
 * Starts with what short conversations need, in small shares: the worker moves to the layout that is best for what
 * comes. `mostCells` is what all slots could use; whether there is memory for it shows at each growth.
 */
function planGrowing(input: LayoutInput): LayoutPlan {
  const { slots, requestedContext, trainedContext } = input
  const contextLength = requestedContext ?? usableContext(input)
  const perSlot = roundUp(contextLength)
  const sequences = Math.min(slots, FIRST_SEQUENCES)
  const layout = input.layout ?? (slots > 1 ? "split" : "unified")
  const share = Math.min(perSlot, roundUp(FIRST_CELLS / sequences))
  return {
    layout,
    cells: layout === "split" ? share * sequences : Math.min(perSlot * slots, FIRST_CELLS),
    sequences,
    slots,
    contextLength,
    ...(requestedContext === null && contextLength < trainedContext && { contextLimitedBy: "memory" }),
    mostCells: Math.min(perSlot * slots, MOST_CELLS),
    layoutIsFixed: input.layout !== null,
  }
}

type ContextInput = Pick<
  LayoutInput,
  "trainedContext" | "bytesPerCell" | "computeBytesPerCell" | "freeBytes" | "otherBytes"
>

/**
 * The trained length, as far as one conversation of it fits in memory together with the copy of its state that its last
 * growth takes. The copy is in system memory, so a cache on GPUs has all of theirs.
 */
function usableContext(input: ContextInput): number {
  const { trainedContext, bytesPerCell, computeBytesPerCell, freeBytes, otherBytes } = input
  const perCell = bytesPerCell + computeBytesPerCell
  const copied = otherBytes === undefined ? bytesPerCell : 0
  // The worker's last growth is from the first cache, or from one of at most half of the cells. A conversation that
  // fits the first cache never moves.
  const moved = (bytes: number) =>
    Math.min((bytes - FIRST_CELLS * copied) / perCell, bytes / (perCell + copied / 2))
  const fitting = (bytes: number) => roundDown(Math.max(Math.min(FIRST_CELLS, bytes / perCell), moved(bytes)))
  const usual = Math.min(USUAL_CONTEXT, fitting(freeBytes + (otherBytes ?? 0)))
  return Math.min(trainedContext, Math.max(LEAST_CONTEXT, usual, fitting(freeBytes)))
}

/** Bytes of the largest cache that the pool may grow to. */
export function mostKvBytes({
  mostCells,
  slots,
  bytes,
  bytesPerCell,
  bytesPerSequence,
}: Pick<KvPlan, "mostCells" | "slots" | "bytes" | "bytesPerCell" | "bytesPerSequence">): number {
  return Math.max(bytes, mostCells * bytesPerCell + slots * bytesPerSequence)
}

/** The cells of one sequence; with the unified layout all of them. */
export function cellsPerSequence({
  layout,
  cells,
  sequences,
}: Pick<KvPlan, "layout" | "cells" | "sequences">): number {
  return layout === "split" ? cells / sequences : cells
}

function roundUp(cells: number): number {
  return Math.ceil(cells / CELL_ROUNDING) * CELL_ROUNDING
}

function roundDown(cells: number): number {
  return Math.max(0, Math.floor(cells / CELL_ROUNDING)) * CELL_ROUNDING
}

/**
 * Keys under a model's architecture that mean its cache is not one cell of equal width per token in every
 * layer: recurrent states, windows, compressed or shared cells, layers without any.
 */
const UNUSUAL_KEYS = [
  "ssm.state_size",
  "ssm.conv_kernel",
  "wkv.head_size",
  "shortconv.l_cache",
  "full_attention_interval",
  "nextn_predict_layers",
  "attention.sliding_window",
  "attention.chunk_size",
  "attention.kv_lora_rank",
  "attention.shared_kv_layers",
] as const

/**
 * Is the size of a model's cache simply its cells times the bytes of one? `read` returns the value of a key
 * under the architecture; lists may be any text that is not a number.
 */
export function hasPlainCache(
  read: (key: string) => string | number | bigint | boolean | undefined,
): boolean {
  const heads = read("attention.head_count_kv")
  if (heads !== undefined && !Number.isFinite(Number(heads))) return false
  return UNUSUAL_KEYS.every((key) => Number(read(key) ?? 0) === 0)
}

/** What of a plan its least size depends on. */
type ContextSize = Pick<KvPlan, "contextLength" | "cells" | "certainBytes" | "computeBytesPerCell">

/**
 * Each token of one pass of the graph has a mask over the cells that it may look at, in f32; without flash attention
 * also a score for each of them and each head.
 */
export function attentionBytesPerCell(
  heads: number,
  { flashAttention }: Pick<TextModelSettings, "flashAttention">,
): number {
  return MICRO_BATCH_TOKENS * 4 * (1 + (flashAttention === "off" ? heads : 0))
}

/** Bytes of the first context's cache, and of what attention needs beside it; with other buffers it is more. */
export function leastContextBytes({
  contextLength,
  cells,
  certainBytes,
  computeBytesPerCell,
}: ContextSize): number {
  return certainBytes + Math.min(cells, roundUp(contextLength)) * computeBytesPerCell
}

/** A plan that is made for its largest conversation from the start. */
export function withWholeConversation(kv: KvPlan): KvPlan {
  const cells = roundUp(kv.contextLength)
  if (kv.cells >= cells) return kv
  const times = cells / kv.cells
  const sizes = { bytes: kv.bytes * times, certainBytes: kv.certainBytes * times }
  return { ...kv, ...sizes, cells, layout: "unified", sequences: 1 }
}

/** The share of a KV cache's memory that q8_0 for both of its parts would save; 0 where it cannot, or not much. */
export function q8Saving({
  kvTypeK,
  kvTypeV,
  flashAttention,
}: Pick<TextModelSettings, "kvTypeK" | "kvTypeV" | "flashAttention">): number {
  // Quantized values need flash attention.
  if (flashAttention === "off") return 0
  const saved = 1 - (2 * KV_BYTES.q8_0) / (KV_BYTES[kvTypeK] + KV_BYTES[kvTypeV])
  return saved < LEAST_SAVING ? 0 : saved
}

/** Advice if a context does not fit in `availableBytes`. */
export function contextAdvice(
  kv: Pick<KvPlan, "layout" | "cells" | "contextLength" | "bytes" | "computeBytesPerCell">,
  settings: Pick<TextModelSettings, "slots" | "kvTypeK" | "kvTypeV" | "flashAttention">,
  availableBytes: number,
): string {
  const { layout, cells, contextLength, bytes } = kv
  const { slots, kvTypeK, kvTypeV, flashAttention } = settings
  const leastBytes = leastContextBytes({ ...kv, certainBytes: bytes })
  const share = Math.max(0, availableBytes) / leastBytes
  const fitting = Math.floor((share * roundUp(contextLength)) / CELL_ROUNDING) * CELL_ROUNDING
  const attentionBytes = leastBytes - bytes
  const isMostlyAttention = attentionBytes > bytes
  const hasScores = flashAttention === "off"
  const isWide = KV_BYTES[kvTypeK] + KV_BYTES[kvTypeV] > 2 * KV_BYTES.q8_0
  const ways = [
    fitting > 0 ? `a smaller --ctx (at most ${fitting} now)` : "a smaller --ctx",
    ...(hasScores ? ["--flash-attn auto"] : []),
    ...(layout === "split" && slots > 1 && !isMostlyAttention ? ["fewer --slots"] : []),
    ...(isWide && !isMostlyAttention && !hasScores ? ["--cache-type-k q8_0 and --cache-type-v q8_0"] : []),
  ]
  const what = hasScores ? "the attention scores and the mask" : "the mask"
  const beside = isMostlyAttention
    ? `, and ${what} for computing over them ${inGibibytes(attentionBytes)}`
    : ""
  return `its KV cache of ${cells} tokens takes ${inGibibytes(bytes)}${beside}; use ${alternatives(ways)}`
}

function inGibibytes(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`
}

function alternatives(ways: readonly string[]): string {
  const [last = "", ...others] = ways.toReversed()
  return others.length === 0 ? last : `${others.toReversed().join(", ")} or ${last}`
}
