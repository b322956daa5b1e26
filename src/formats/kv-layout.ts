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

/** The KV cache may take this share of the free memory of the device that holds it. */
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

type LayoutPlan = Omit<KvPlan, "bytes" | "bytesPerCell" | "bytesPerSequence" | "certainBytes">

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
  return {
    layout,
    cells: wanted,
    sequences: input.slots,
    slots: input.slots,
    contextLength,
    mostCells: wanted,
    layoutIsFixed: input.layout !== null,
  }
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

/** What of a plan its least size depends on. */
type ContextSize = Pick<KvPlan, "contextLength" | "certainBytes">

/** Each token of one pass of the graph has a mask over the cells that it may look at, in f32. */
const MASK_BYTES_PER_CELL = MICRO_BATCH_TOKENS * 4

/** Bytes of the cache, and of the mask that computing needs beside it; with other buffers it is more. */
export function leastContextBytes({ contextLength, certainBytes }: ContextSize): number {
  return certainBytes + roundUp(contextLength) * MASK_BYTES_PER_CELL
}

/** Advice if a context does not fit in `availableBytes`. */
export function contextAdvice(
  { layout, cells, contextLength, bytes }: Pick<KvPlan, "layout" | "cells" | "contextLength" | "bytes">,
  { slots, kvTypeK, kvTypeV }: Pick<TextModelSettings, "slots" | "kvTypeK" | "kvTypeV">,
  availableBytes: number,
): string {
  const leastBytes = leastContextBytes({ contextLength, certainBytes: bytes })
  const share = Math.max(0, availableBytes) / leastBytes
  const fitting = Math.floor((share * roundUp(contextLength)) / CELL_ROUNDING) * CELL_ROUNDING
  const maskBytes = leastBytes - bytes
  const isMostlyMask = maskBytes > bytes
  const isWide = KV_BYTES[kvTypeK] + KV_BYTES[kvTypeV] > 2 * KV_BYTES.q8_0
  const ways = [
    fitting > 0 ? `a smaller --ctx (at most ${fitting} now)` : "a smaller --ctx",
    ...(layout === "split" && slots > 1 && !isMostlyMask ? ["fewer --slots"] : []),
    ...(isWide && !isMostlyMask ? ["--cache-type-k q8_0 and --cache-type-v q8_0"] : []),
  ]
  const mask = isMostlyMask ? `, and the mask for computing over them ${inGibibytes(maskBytes)}` : ""
  return `its KV cache of ${cells} tokens takes ${inGibibytes(bytes)}${mask}; use ${alternatives(ways)}`
}

function inGibibytes(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`
}

function alternatives(ways: readonly string[]): string {
  const [last = "", ...others] = ways.toReversed()
  return others.length === 0 ? last : `${others.toReversed().join(", ")} or ${last}`
}
