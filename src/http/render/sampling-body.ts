import type { SamplingParameters } from "../../domain/chat"

/** Sampling parameters under the names of request fields. */
export function toSamplingBody(sampling: SamplingParameters): Readonly<Record<string, unknown>> {
  return {
    temperature: sampling.temperature,
    dynatemp_range: sampling.dynamicTemperatureRange,
    dynatemp_exponent: sampling.dynamicTemperatureExponent,
    top_k: sampling.topK,
    top_p: sampling.topP,
    min_p: sampling.minP,
    typical_p: sampling.typicalP,
    top_n_sigma: sampling.topNSigma,
    min_keep: sampling.minKeep,
    xtc_probability: sampling.xtcProbability,
    xtc_threshold: sampling.xtcThreshold,
    repeat_penalty: sampling.repeatPenalty,
    repeat_last_n: sampling.repeatLastN,
    presence_penalty: sampling.presencePenalty,
    frequency_penalty: sampling.frequencyPenalty,
    dry_multiplier: sampling.dryMultiplier,
    dry_base: sampling.dryBase,
    dry_allowed_length: sampling.dryAllowedLength,
    dry_penalty_last_n: sampling.dryPenaltyLastN,
    dry_sequence_breakers: sampling.drySequenceBreakers,
    mirostat: sampling.mirostat,
    mirostat_tau: sampling.mirostatTau,
    mirostat_eta: sampling.mirostatEta,
    seed: sampling.seed,
    // JSON has no -Infinity; requests use `false` for it.
    logit_bias: sampling.logitBias.map(([token, bias]) => [token, bias === -Infinity ? false : bias]),
    ignore_eos: sampling.ignoreEos,
  }
}
