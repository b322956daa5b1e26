import type { ModelDefaults } from "../domain/model"
import type { ModelSettings } from "../domain/settings"
import { SAMPLING_PARAMETERS } from "./managed/defaults"
import type { ManifestParameter } from "./managed/manifest"

/** The settings that a Modelfile can express, by their names there. */
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
    ...Object.fromEntries(Object.entries(SETTINGS).map(([name, key]) => [name, settings[key]])),
    // -1: no limit.
    ...(settings.keepAliveSeconds === null && { keep_alive: -1 }),
  }
  const known = Object.entries(all).flatMap(([name, value]): [string, ManifestParameter][] =>
    value === undefined || value === null ? [] : [[name, value]],
  )
  return Object.fromEntries(known)
}
