import type { KvLayout, KvType } from "../domain/settings"

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

/** Share of free memory that the KV cache may take on its device. */
const MEMORY_SHARE = 1 / 5

/** llama.cpp rounds a sequence's cells up to a multiple of this. */
const CELL_ROUNDING = 256

/** The default maximum context length; more costs memory that few users need. */
export const DEFAULT_CONTEXT = 8192

export interface LayoutInput {
  readonly requestedContext: number | null
  readonly trainedContext: number
  readonly slots: number
  readonly bytesPerCell: number
  readonly freeBytes: number
  /** The configured layout; `null` to choose automatically. */
  readonly layout: KvLayout | null
  readonly cells: number | null
}

export interface LayoutPlan {
  readonly layout: KvLayout
  /** Cells of the whole pool. */
  readonly cells: number
  /** The maximum length of one conversation. */
  readonly contextLength: number
}

/**
 * Chooses the layout of the KV cache. Split (every slot has `contextLength` cells of its own) is faster for
 * different prompts, because a sequence attends only to its own cells; unified lets slots share the available
 * memory. So: split if it takes at most a fifth of the free memory, otherwise unified within that fifth, with
 * room for at least one whole conversation.
 */
export function planLayout(input: LayoutInput): LayoutPlan {
  const contextLength = input.requestedContext ?? usualContext(input.trainedContext)
  const perSlot = roundUp(contextLength)
  const affordable = Math.floor((input.freeBytes * MEMORY_SHARE) / Math.max(1, input.bytesPerCell))
  const layout = input.layout ?? (chooseSplit(input, perSlot, affordable) ? "split" : "unified")
  const wanted =
    layout === "split"
      ? perSlot * input.slots
      : Math.max(perSlot, roundUp(input.cells ?? Math.min(affordable, perSlot * input.slots)))
  return { layout, cells: wanted, contextLength }
}

/** The default context length: that of the training, up to {@link DEFAULT_CONTEXT}. */
export function usualContext(trainedContext: number): number {
  return Math.min(trainedContext, DEFAULT_CONTEXT)
}

function chooseSplit(input: LayoutInput, perSlot: number, affordable: number): boolean {
  const cells = perSlot * input.slots
  return cells <= (input.cells ?? affordable)
}

function roundUp(cells: number): number {
  return Math.ceil(cells / CELL_ROUNDING) * CELL_ROUNDING
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

/** The minimum size of a context with a plain cache. */
export interface ContextSize {
  readonly cells: number
  /** Of one sequence. */
  readonly contextLength: number
  readonly bytesPerCell: number
}

/** Bytes per cell of the f32 attention mask in one pass of the graph (512 tokens). */
const MASK_BYTES_PER_CELL = 512 * 4

/** Bytes of the cache and the attention mask; other buffers come on top. */
export function leastContextBytes({ cells, contextLength, bytesPerCell }: ContextSize): number {
  return cells * bytesPerCell + roundUp(contextLength) * MASK_BYTES_PER_CELL
}

/** Advice if a context does not fit in `availableBytes`. */
export function contextAdvice(
  size: ContextSize & {
    readonly slots: number
    readonly layout: KvLayout
    readonly kvTypeK: KvType
    readonly kvTypeV: KvType
  },
  availableBytes: number,
): string {
  const { cells, contextLength, bytesPerCell, slots, layout, kvTypeK, kvTypeV } = size
  const share = Math.max(0, availableBytes) / leastContextBytes(size)
  const fitting = Math.floor((share * roundUp(contextLength)) / CELL_ROUNDING) * CELL_ROUNDING
  const isWide = KV_BYTES[kvTypeK] + KV_BYTES[kvTypeV] > 2 * KV_BYTES.q8_0
  const ways = [
    fitting > 0 ? `a smaller --ctx (at most ${fitting} now)` : "a smaller --ctx",
    ...(layout === "split" && slots > 1 ? ["fewer --slots"] : []),
    ...(isWide ? ["--cache-type-k q8_0 and --cache-type-v q8_0"] : []),
  ]
  const gibibytes = ((cells * bytesPerCell) / 1024 ** 3).toFixed(1)
  return `its KV cache of ${cells} tokens takes ${gibibytes} GiB; use ${alternatives(ways)}`
}

function alternatives(ways: readonly string[]): string {
  const [last = "", ...others] = ways.toReversed()
  return others.length === 0 ? last : `${others.toReversed().join(", ")} or ${last}`
}
