import { type JsonRecord, recordAt, textAt } from "../../lib/json"
import type { MetadataFields } from "../fields"
import { type HfConfig, configNumber, configNumbers } from "../source/config"
import { constant } from "../tensors/values"
import type { NamedValues } from "./architecture"

/** How positions are encoded: from `rope_parameters`, or the older `rope_scaling` and the keys beside it. */
export interface RopeParameters {
  readonly values: JsonRecord
  /** `linear`, `yarn`, `llama3`, `longrope`, … */
  readonly type: string | undefined
  readonly theta: number | undefined
  /** Of layers with a sliding window. */
  readonly localTheta: number | undefined
}

const THETA_KEYS = ["global_rope_theta", "rope_global_theta", "rope_theta", "rotary_emb_base"] as const
const LOCAL_KEYS = ["local_rope_theta", "rope_local_theta", "swa_rope_theta", "rope_local_base_freq"] as const
const KNOWN_TYPES: ReadonlySet<string> = new Set([
  "default",
  "linear",
  "yarn",
  "su",
  "longrope",
  "llama3",
  "mrope",
])

/** @throws InvalidModelFile for a kind of scaling that llama.cpp does not know */
export function ropeParameters(config: HfConfig): RopeParameters {
  const given = config.record("rope_parameters") ?? config.record("rope_scaling") ?? {}
  const full = recordAt(given, "full_attention")
  const sliding = recordAt(given, "sliding_attention")
  const own = full ?? given
  const beside = {
    ...(config.has("partial_rotary_factor") && {
      partial_rotary_factor: config.number("partial_rotary_factor"),
    }),
    ...(config.has("original_max_position_embeddings") && {
      original_max_position_embeddings: config.count("original_max_position_embeddings"),
    }),
  }
  const values: JsonRecord = { ...beside, ...own }
  const type = textAt(values, "rope_type") ?? textAt(values, "type")
  if (type !== undefined && !KNOWN_TYPES.has(type.toLowerCase()))
    throw config.fail(`positions are scaled by '${type}', which is not known`)
  return {
    values,
    type: type?.toLowerCase(),
    theta: configNumber(config, values, "rope_theta") ?? config.optionalNumber(...THETA_KEYS),
    localTheta:
      (sliding && configNumber(config, sliding, "rope_theta")) ??
      (full === undefined ? config.optionalNumber(...LOCAL_KEYS) : undefined),
  }
}

/** The keys that all architectures share. */
export function setRopeFields(fields: MetadataFields, name: string, config: HfConfig): void {
  const rope = ropeParameters(config)
  const { values, type } = rope
  const scaling = `${name}.rope.scaling`
  const number = (key: string) => configNumber(config, values, key)
  const factor = number("factor")
  if ((type === "linear" || type === "yarn") && factor !== undefined) {
    fields.text(`${scaling}.type`, type)
    fields.f32(`${scaling}.factor`, factor)
  }
  if (type === "yarn" && factor !== undefined) {
    const original = number("original_max_position_embeddings")
    if (original === undefined)
      throw config.fail("'original_max_position_embeddings' is missing where positions are scaled by 'yarn'")
    fields.u32(`${scaling}.original_context_length`, original)
    fields.f32(`${scaling}.yarn_ext_factor`, number("extrapolation_factor"))
    fields.f32(`${scaling}.yarn_attn_factor`, number("attention_factor") ?? number("attn_factor"))
    fields.f32(`${scaling}.yarn_beta_fast`, number("beta_fast"))
    fields.f32(`${scaling}.yarn_beta_slow`, number("beta_slow"))
  }
  if (type === "longrope" || type === "su") fields.text(`${scaling}.type`, "longrope")
  fields.f32(`${name}.rope.freq_base`, rope.theta)
  fields.f32(`${name}.rope.freq_base_swa`, rope.localTheta)
}

/**
 * Llama 3's factors for each pair of dimensions. Every step is rounded to 32 bits, as in the reference: so the factors
 * agree to the last bit.
 */
export function llama3Factors(config: HfConfig): readonly NamedValues[] {
  const { type, values, theta = 10_000 } = ropeParameters(config)
  if (type !== "llama3") return []
  const { fround } = Math
  const number = (key: string, otherwise: number) => configNumber(config, values, key) ?? otherwise
  const factor = number("factor", 8)
  const low = number("low_freq_factor", 1)
  const high = number("high_freq_factor", 4)
  const original = number("original_max_position_embeddings", 8192)
  const size = config.headSize
  const factors = new Float32Array(Math.ceil(size / 2))
  for (let index = 0; index < factors.length; index++) {
    const frequency = fround(1 / fround(theta ** fround((index * 2) / size)))
    const length = fround(fround(2 * Math.PI) / frequency)
    if (length < original / high) factors[index] = 1
    else if (length > original / low) factors[index] = factor
    else {
      const smooth = fround(fround(fround(original / length) - low) / (high - low))
      factors[index] = 1 / fround(fround(fround(1 - smooth) / factor) + smooth)
    }
  }
  return [{ name: "rope_freqs.weight", values: constant(factors) }]
}

/** The lists of factors of `longrope`, as tensors. */
export function longFactors(config: HfConfig, pairs: number): readonly NamedValues[] {
  const { values } = ropeParameters(config)
  const long = configNumbers(config, values, "long_factor")
  const short = configNumbers(config, values, "short_factor")
  if (long === undefined || long.length === 0) return []
  if (short === undefined || short.length !== long.length || long.length !== pairs)
    throw config.fail(`'long_factor' and 'short_factor' must have ${pairs} numbers each`)
  return [
    { name: "rope_factors_long.weight", values: constant(Float32Array.from(long)) },
    { name: "rope_factors_short.weight", values: constant(Float32Array.from(short)) },
  ]
}
