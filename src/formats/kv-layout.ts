import type { KvLayout, KvType } from "../domain"

/** Bytes of one element, with the scales of its block: ggml's block sizes (ggml-common.h). */
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

/** The KV cache may take this share of the free memory of the device that holds it. */
const MEMORY_SHARE = 1 / 5

/** llama.cpp rounds a sequence's cells up to a multiple of this. */
const CELL_ROUNDING = 256

/** The longest conversation where nothing else is said; more costs memory that few need. */
export const DEFAULT_CONTEXT = 8192

export interface LayoutInput {
  readonly requestedContext: number | null
  readonly trainedContext: number
  readonly slots: number
  readonly bytesPerCell: number
  readonly freeBytes: number
  /** What the user fixed; `null` lets the rule decide. */
  readonly layout: KvLayout | null
  readonly cells: number | null
}

export interface LayoutPlan {
  readonly layout: KvLayout
  /** Cells of the whole pool. */
  readonly cells: number
  /** The longest single conversation. */
  readonly contextLength: number
}

/**
 * How the KV cache is laid out. Split (every slot has `contextLength` cells of its own) is faster where prompts
 * differ, for a sequence then attends to its own cells only; unified lets slots share what memory there is. So:
 * split where that takes at most a fifth of the free memory, otherwise unified within that fifth, and never less
 * than one whole conversation.
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

/** The longest conversation where nobody says it: as long as in the training, up to what most need. */
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
