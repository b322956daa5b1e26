import type { SamplingParameters } from "../../../domain/chat"
import { recommendedSampling, SAMPLING_DEFAULTS } from "../../../formats/sampling-defaults"

/**
 * The sampling defaults of a model: built-in ones, overridden by the file's recommendations, then by the
 * configured ones.
 */
export function modelDefaults(
  metadata: (key: string) => string | undefined,
  own: Partial<SamplingParameters> = {},
): SamplingParameters {
  return { ...SAMPLING_DEFAULTS, ...recommendedSampling(metadata), ...own }
}

const MAX_INT32 = 2 ** 31 - 1

type NumericParameter = {
  [Name in keyof SamplingParameters]-?: SamplingParameters[Name] extends number ? Name : never
}[keyof SamplingParameters]

interface Reach {
  readonly least: number
  readonly most: number
  readonly whole?: true
}

/** Wider than any meaningful value; beyond it float32 overflows. */
const FLOAT: Reach = { least: -1e6, most: 1e6 }
const SHARE: Reach = { least: 0, most: 1 }
const COUNT: Reach = { least: 0, most: MAX_INT32, whole: true }

/**
 * Ranges that the arithmetic can handle. Requests are limited more narrowly, but a file may contain anything.
 */
const REACH: Readonly<Record<NumericParameter, Reach>> = {
  temperature: { least: 0, most: 1e6 },
  dynamicTemperatureRange: { least: 0, most: 1e6 },
  dynamicTemperatureExponent: { least: 0, most: 100 },
  topK: COUNT,
  topP: SHARE,
  minP: SHARE,
  typicalP: SHARE,
  topNSigma: FLOAT,
  minKeep: COUNT,
  xtcProbability: SHARE,
  xtcThreshold: SHARE,
  // Logits are divided by this.
  repeatPenalty: { least: 0.01, most: 100 },
  repeatLastN: { least: -1, most: MAX_INT32, whole: true },
  presencePenalty: FLOAT,
  frequencyPenalty: FLOAT,
  dryMultiplier: { least: 0, most: 1e6 },
  dryBase: { least: 1, most: 1e6 },
  dryAllowedLength: COUNT,
  dryPenaltyLastN: { least: -1, most: MAX_INT32, whole: true },
  mirostat: { least: 0, most: 2, whole: true },
  mirostatTau: FLOAT,
  mirostatEta: FLOAT,
}

/** Dividing logits by less overflows a float; sampling is already greedy well above it. */
const LEAST_TEMPERATURE = 1e-5

/**
 * The parameters to sample with, from any source: clamped to their ranges, with lookbacks no longer than the
 * context.
 */
export function effectiveSampling(
  defaults: SamplingParameters,
  requested: Partial<SamplingParameters>,
  contextLength: number,
): SamplingParameters {
  const wanted = { ...defaults, ...requested }
  const numbers = Object.entries(REACH).map(([name, reach]) => {
    // The keys of REACH are exactly the numeric parameters.
    const key = name as NumericParameter
    return [key, within(reach, wanted[key]) ?? SAMPLING_DEFAULTS[key]] as const
  })
  const sampling: SamplingParameters = { ...wanted, ...Object.fromEntries(numbers) }
  return {
    ...sampling,
    temperature: sampling.temperature < LEAST_TEMPERATURE ? 0 : sampling.temperature,
    repeatLastN: Math.min(sampling.repeatLastN, contextLength),
    dryPenaltyLastN: Math.min(sampling.dryPenaltyLastN, contextLength),
  }
}

/** Undefined if it is not a number. */
function within({ least, most, whole }: Reach, value: number): number | undefined {
  if (typeof value !== "number" || Number.isNaN(value)) return undefined
  return Math.min(most, Math.max(least, whole ? Math.trunc(value) : value))
}
