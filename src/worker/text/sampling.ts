import type { SamplingParameters } from "../../domain"
import { SAMPLING_DEFAULTS, SAMPLING_KEYS } from "../../formats/sampling-defaults"

/** The defaults of one model: the built-in ones, over them what its file recommends, over them what came along with it. */
export function modelDefaults(
  metadata: (key: string) => string | undefined,
  along: Partial<SamplingParameters> = {},
): SamplingParameters {
  const recommended = Object.entries(SAMPLING_KEYS)
    .map(([name, key]) => [name, Number.parseFloat(metadata(key) ?? "")] as const)
    .filter(([, value]) => Number.isFinite(value))
  return { ...SAMPLING_DEFAULTS, ...Object.fromEntries(recommended), ...along }
}

/** What a request is really sampled with. */
export function effectiveSampling(
  defaults: SamplingParameters,
  requested: Partial<SamplingParameters>,
): SamplingParameters {
  return { ...defaults, ...requested }
}
