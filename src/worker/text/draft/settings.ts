import type { SpeculationOptions } from "../../../domain/chat"
import type { SpeculationInfo } from "../../../domain/loaded-model"
import type { TextModelSettings } from "../../../domain/settings"
import type { MemoryTraits } from "../cache/slots"
import type { DraftRange } from "./stream"

/** Of one sequence: a copy takes a few ms, about as long as a step. */
const MOST_STATE_BYTES = 32 * 1024 ** 2

type DraftSettings = Pick<TextModelSettings, "speculation" | "draftMax">

/** How much is guessed where a request says nothing about it. */
export function draftRangeOf({
  speculation,
  draftMax,
  draftMin,
  draftLeastProbability: leastProbability,
}: DraftSettings & Pick<TextModelSettings, "draftMin" | "draftLeastProbability">): DraftRange {
  const usual = { most: draftMax, least: draftMin, leastProbability, isForced: false, by: "all" } as const
  return rangeOf(usual, { mode: speculation })
}

/** What a request wants, where the model's settings say `usual`. */
export function rangeOf(
  usual: DraftRange,
  { mode, most, least, leastProbability }: SpeculationOptions = {},
): DraftRange {
  const longest = mode === "off" ? 0 : (most ?? usual.most)
  return {
    most: longest,
    least: Math.min(least ?? usual.least, longest),
    leastProbability: leastProbability ?? usual.leastProbability,
    isForced: mode === undefined ? usual.isForced : mode !== "auto",
    by: mode === undefined ? usual.by : mode === "ngram" ? "texts" : mode === "draft" ? "model" : "all",
  }
}

/** Whether a model's answers are guessed ahead, and why or why not. `stateBytes`: of a sequence, where it has one. */
export function describeSpeculation(
  { speculation, draftMax }: DraftSettings,
  { trims }: Pick<MemoryTraits, "trims">,
  stateBytes: number,
  has: { readonly draftModel: boolean; readonly ownLayers: boolean },
): SpeculationInfo {
  if (speculation === "off" || draftMax === 0) return { isOn: false, explanation: "turned off" }
  if (!trims && stateBytes > MOST_STATE_BYTES)
    return { isOn: false, explanation: "this model's states are too large to be copied before each guess" }
  const when = speculation === "auto" ? "where it is faster" : "always"
  const by = speculation === "draft" ? "by the draft model" : "from earlier text"
  const both = has.draftModel && speculation === "auto" ? " and by the draft model" : ""
  const unused = has.ownLayers
    ? "; its own layers for guessing (multi-token prediction) are not supported"
    : ""
  return { isOn: true, explanation: `${by}${both}, ${when}${unused}` }
}
