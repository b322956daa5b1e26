import type { SamplingParameters } from "../domain"

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
export const SAMPLING_KEYS = {
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
