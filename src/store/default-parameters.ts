import type { ModelDefaults } from "../domain/model"
import { MODEL_SETTINGS, type SettingRow } from "../domain/settings"
import { SAMPLING_PARAMETERS } from "./managed/defaults"
import type { ManifestParameter } from "./managed/manifest"

/** A model's default parameters, with the names and meanings that Modelfiles use. */
export function parametersOf(
  defaults: ModelDefaults | undefined,
): Readonly<Record<string, ManifestParameter>> {
  const { sampling = {}, settings = {}, stop, maxTokens } = defaults ?? {}
  const all: Record<string, ManifestParameter | null | undefined> = {
    ...Object.fromEntries(Object.entries(SAMPLING_PARAMETERS).map(([name, key]) => [name, sampling[key]])),
    top_k: sampling.topK,
    // -1: a new one each time.
    seed: sampling.seed === null ? -1 : sampling.seed,
    ignore_eos: sampling.ignoreEos,
    stop,
    num_predict: maxTokens,
    ...settingParametersOf(settings),
  }
  const known = Object.entries(all).flatMap(([name, value]): [string, ManifestParameter][] =>
    value === undefined || value === null ? [] : [[name, value]],
  )
  return Object.fromEntries(known)
}

function settingParametersOf(
  settings: Readonly<Partial<Record<string, unknown>>>,
): Readonly<Record<string, ManifestParameter>> {
  const parameters = Object.entries<SettingRow>(MODEL_SETTINGS).flatMap(([field, { modelfile, values }]) => {
    if (modelfile === undefined) return []
    const value = settings[field]
    // -1: no limit.
    if (value === null && values.kind === "stay") return [[modelfile.name, -1]]
    const isPlain = typeof value === "number" || typeof value === "string" || typeof value === "boolean"
    return isPlain ? [[modelfile.name, value]] : []
  })
  return Object.fromEntries(parameters)
}
