import type { RopeInfo } from "../../domain/loaded-model"
import type { TextModelSettings } from "../../domain/settings"
import { Unsupported } from "../../errors/request"
import type { Model } from "../../llama/model"

type RopeSettings = Pick<
  TextModelSettings,
  "ropeScaling" | "ropeFreqBase" | "ropeFreqScale" | "yarnOriginalContext"
>

/** llama.cpp's own, where a file has none. */
const DEFAULT_FREQ_BASE = 10_000

/**
 * The rotary embeddings that a model is loaded with; undefined: it has none.
 * @throws Unsupported where settings ask for them all the same
 */
export function ropeOf(model: Model, name: string, settings: RopeSettings): RopeInfo | undefined {
  const { ropeScaling, ropeFreqBase, ropeFreqScale, yarnOriginalContext } = settings
  if (model.ropeFreqScale === undefined) {
    const isSet = [ropeScaling, ropeFreqBase, ropeFreqScale, yarnOriginalContext].some((one) => one !== null)
    if (!isSet) return undefined
    throw new Unsupported(
      `model '${name}' has no rotary position embeddings; leave out rope_scaling, rope_freq_base, rope_freq_scale and yarn_orig_ctx`,
      "rope_scaling",
    )
  }
  const architecture = model.metadata("general.architecture") ?? ""
  const inFile = (key: string) => model.metadata(`${architecture}.rope.${key}`)
  const freqScale = ropeScaling === "none" ? 1 : (ropeFreqScale ?? model.ropeFreqScale)
  const scaling = ropeScaling ?? (freqScale === 1 ? "none" : (inFile("scaling.type") ?? "linear"))
  const original = Number(inFile("scaling.original_context_length") ?? model.trainedContextLength)
  return {
    scaling,
    freqBase: ropeFreqBase ?? Number(inFile("freq_base") ?? DEFAULT_FREQ_BASE),
    freqScale,
    ...(scaling === "yarn" && { originalContext: yarnOriginalContext ?? original }),
  }
}
