import type { SamplingParameters } from "../../domain"
import { recommendedSampling, SAMPLING_DEFAULTS } from "../../formats/sampling-defaults"

/** The defaults of one model: the built-in ones, over them what its file recommends, over them what came along with it. */
export function modelDefaults(
  metadata: (key: string) => string | undefined,
  along: Partial<SamplingParameters> = {},
): SamplingParameters {
  return { ...SAMPLING_DEFAULTS, ...recommendedSampling(metadata), ...along }
}

/** What a request is really sampled with. */
export function effectiveSampling(
  defaults: SamplingParameters,
  requested: Partial<SamplingParameters>,
): SamplingParameters {
  return { ...defaults, ...requested }
}
