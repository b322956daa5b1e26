import type { SamplingParameters } from "../domain/chat"
import { SAMPLING, type SamplingNumber } from "../limits"

/** What a request that says nothing gets: llama.cpp's own defaults (common_params_sampling). */
export const SAMPLING_DEFAULTS: SamplingParameters = {
  temperature: 0.8,
  dynamicTemperatureRange: 0,
  dynamicTemperatureExponent: 1,
  topK: 40,
  topP: 0.95,
  minP: 0.05,
  typicalP: 1,
  topNSigma: -1,
  minKeep: 1,
  xtcProbability: 0,
  xtcThreshold: 0.1,
  repeatPenalty: 1,
  repeatLastN: 64,
  presencePenalty: 0,
  frequencyPenalty: 0,
  dryMultiplier: 0,
  dryBase: 1.75,
  dryAllowedLength: 2,
  dryPenaltyLastN: -1,
  drySequenceBreakers: ["\n", ":", '"', "*"],
  mirostat: 0,
  mirostatTau: 5,
  mirostatEta: 0.1,
  seed: null,
  logitBias: [],
  ignoreEos: false,
}

/** Keys by which a GGUF recommends parameters (`llama_model_meta_key_str`). */
const SAMPLING_KEYS = {
  temperature: "general.sampling.temp",
  topK: "general.sampling.top_k",
  topP: "general.sampling.top_p",
  minP: "general.sampling.min_p",
  xtcProbability: "general.sampling.xtc_probability",
  xtcThreshold: "general.sampling.xtc_threshold",
  repeatLastN: "general.sampling.penalty_last_n",
  repeatPenalty: "general.sampling.penalty_repeat",
  mirostatTau: "general.sampling.mirostat_tau",
  mirostatEta: "general.sampling.mirostat_eta",
} as const satisfies Partial<Record<keyof SamplingParameters, string>>

/** Those that are counted in whole numbers. */
const COUNTS: ReadonlySet<SamplingNumber> = new Set(["topK", "repeatLastN"])

/**
 * What a GGUF recommends. Values that nobody could ask for count as absent: a file may come from anywhere.
 * @param metadata the text of a key's value
 */
export function recommendedSampling(
  metadata: (key: string) => string | undefined,
): Partial<SamplingParameters> {
  const recommended = SAMPLING_NAMES.map((name) => {
    const value = Number.parseFloat(metadata(SAMPLING_KEYS[name]) ?? "")
    // Files say -1 too where they mean all.
    return [name, name === "topK" && value === -1 ? 0 : value] as const
  })
  return Object.fromEntries(recommended.filter(([name, value]) => isPossible(name, value)))
}

// Object.keys does not know the keys' types.
const SAMPLING_NAMES = Object.keys(SAMPLING_KEYS) as readonly (keyof typeof SAMPLING_KEYS)[]

function isPossible(name: SamplingNumber, value: number): boolean {
  const { min, max } = SAMPLING[name]
  return value >= min && value <= max && (!COUNTS.has(name) || Number.isInteger(value))
}
