import type { SpeculationOptions } from "../../../domain/chat"
import type { SpeculationInfo } from "../../../domain/loaded-model"
import type { TextModelSettings } from "../../../domain/settings"
import type { MemoryTraits } from "../cache/slots"
import type { DraftRange } from "./stream"

type DraftSettings = Pick<TextModelSettings, "speculation" | "draftMax">

/** How much is guessed where a request says nothing about it. */
export function draftRangeOf({
  speculation,
  draftMax,
  draftMin,
}: DraftSettings & Pick<TextModelSettings, "draftMin">): DraftRange {
  return rangeOf({ most: draftMax, least: draftMin, isForced: false, by: "all" }, { mode: speculation })
}

/** What a request wants, where the model's settings say `usual`. */
export function rangeOf(usual: DraftRange, { mode, most, least }: SpeculationOptions = {}): DraftRange {
  const longest = mode === "off" ? 0 : (most ?? usual.most)
  return {
    most: longest,
    least: Math.min(least ?? usual.least, longest),
    isForced: mode === undefined ? usual.isForced : mode !== "auto",
    by: mode === undefined ? usual.by : mode === "ngram" ? "texts" : mode === "draft" ? "model" : "all",
  }
}

/** Whether a model's answers are guessed ahead, and why or why not. */
export function describeSpeculation(
  { speculation, draftMax }: DraftSettings,
  { trims }: Pick<MemoryTraits, "trims">,
  hasDraftModel: boolean,
): SpeculationInfo {
  if (speculation === "off" || draftMax === 0) return { isOn: false, explanation: "turned off" }
  if (!trims) return { isOn: false, explanation: "this model's state cannot be taken back" }
  const when = speculation === "auto" ? "where it is faster" : "always"
  const by = speculation === "draft" ? "by the draft model" : "from earlier text"
  const both = hasDraftModel && speculation === "auto" ? " and by the draft model" : ""
  return { isOn: true, explanation: `${by}${both}, ${when}` }
}
