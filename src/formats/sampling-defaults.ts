import type { SamplingParameters } from "../domain/chat"
import { SAMPLING, type SamplingNumber } from "../limits"

/** The defaults of a request: those of llama.cpp (common_params_sampling). */
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

/** Keys of recommended sampling parameters in a GGUF (`llama_model_meta_key_str`). */
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

/** The integer parameters. */
const COUNTS: ReadonlySet<SamplingNumber> = new Set(["topK", "repeatLastN"])

/**
 * The sampling parameters recommended by a GGUF. Values that a request could not set are ignored: a file may
 * come from anywhere.
 * @param metadata returns the value of a key, as text
 */
export function recommendedSampling(
  metadata: (key: string) => string | undefined,
): Partial<SamplingParameters> {
  const recommended = SAMPLING_NAMES.map((name) => {
    const value = Number.parseFloat(metadata(SAMPLING_KEYS[name]) ?? "")
    // Files also use -1 for "all".
    return [name, name === "topK" && value === -1 ? 0 : value] as const
  })
  return Object.fromEntries(recommended.filter(([name, value]) => isPossible(name, value)))
}

// Object.keys loses the type of the keys.
const SAMPLING_NAMES = Object.keys(SAMPLING_KEYS) as readonly (keyof typeof SAMPLING_KEYS)[]

function isPossible(name: SamplingNumber, value: number): boolean {
  const { min, max } = SAMPLING[name]
  return value >= min && value <= max && (!COUNTS.has(name) || Number.isInteger(value))
}
