import type { ModelDefaults } from "../domain/model"
import type { ModelSettings } from "../domain/settings"
import { SAMPLING_PARAMETERS } from "./managed/defaults"
import type { ManifestParameter } from "./managed/manifest"

/** Settings by the names that Modelfiles give them, where a Modelfile can hold what they are. */
const SETTINGS = {
  num_ctx: "contextLength",
  num_gpu: "gpuLayers",
  num_thread: "decodeThreads",
  use_mmap: "memoryMap",
  parallel: "slots",
  keep_alive: "keepAliveSeconds",
  cache_type_k: "kvTypeK",
  cache_type_v: "kvTypeV",
} as const satisfies Readonly<Record<string, keyof ModelSettings>>

/** The parameters that a model brings along, under the names and with the meanings that Modelfiles have. */
export function parametersOf(
  defaults: ModelDefaults | undefined,
): Readonly<Record<string, ManifestParameter>> {
  const { sampling = {}, settings = {}, stop, maxTokens } = defaults ?? {}
  const all: Record<string, ManifestParameter | null | undefined> = {
    ...Object.fromEntries(Object.entries(SAMPLING_PARAMETERS).map(([name, key]) => [name, sampling[key]])),
    top_k: sampling.topK,
    // -1: another one each time.
    seed: sampling.seed === null ? -1 : sampling.seed,
    ignore_eos: sampling.ignoreEos,
    stop,
    num_predict: maxTokens,
    ...Object.fromEntries(Object.entries(SETTINGS).map(([name, key]) => [name, settings[key]])),
    // -1: for ever.
    ...(settings.keepAliveSeconds === null && { keep_alive: -1 }),
  }
  const known = Object.entries(all).flatMap(([name, value]): [string, ManifestParameter][] =>
    value === undefined || value === null ? [] : [[name, value]],
  )
  return Object.fromEntries(known)
}
