import { integer, oneOf, type Value } from "../../config/values"
import type { ModelSettings, TextModelSettings } from "../../domain/settings"
import { LOAD_SETTINGS } from "../../domain/settings"
import { UsageError } from "../../errors/cli"
import { MICRO_BATCH_TOKENS } from "../../formats/kv-layout"
import { MEASURING } from "../../limits"
import { usableCores } from "../../worker/cores"
import type { FlagTable, FlagValues } from "../args/flags"

/** What one row of the table was loaded and computed with. */
export interface Variant {
  /** `null`: all that fit. */
  readonly gpuLayers: number | null
  readonly threads: number
  readonly batchTokens: number
  readonly microBatchTokens: number
  readonly flashAttention: TextModelSettings["flashAttention"]
  readonly kvTypeK: TextModelSettings["kvTypeK"]
  readonly kvTypeV: TextModelSettings["kvTypeV"]
}

const USUAL_BATCH = 2048

/** Numbers separated by commas; `1-8`, `1-9+2` and `1-8*2` stand for several, as for llama-bench. */
export function numbers(minimum: number, maximum: number): Value<readonly number[]> {
  const one = integer("N", minimum, maximum)
  const rule = `whole numbers from ${minimum} to ${maximum}, such as 1,4 or 1-8`
  return {
    placeholder: "N,N,…",
    parse(text, origin) {
      const all = text.split(",").flatMap((part) => rangeOf(part.trim(), one, origin, rule))
      if (all.length > MEASURING.values)
        throw new UsageError(`${origin} must have at most ${MEASURING.values} values, got ${all.length}`)
      return [...new Set(all)]
    },
  }
}

function rangeOf(part: string, one: Value<number>, origin: string, rule: string): readonly number[] {
  const [, first, last, sign = "+", stepText = "1"] = /^(\d+)-(\d+)(?:([+*])(\d+))?$/.exec(part) ?? []
  if (first === undefined || last === undefined) return [one.parse(part, origin)]
  const [low, high, step] = [one.parse(first, origin), one.parse(last, origin), Number(stepText)]
  if (low > high || step < (sign === "*" ? 2 : 1) || (sign === "*" && low === 0))
    throw new UsageError(`${origin} must be ${rule}, got '${part}'`)
  const all: number[] = []
  for (let at = low; at <= high && all.length <= MEASURING.values; at = sign === "*" ? at * step : at + step)
    all.push(at)
  return all
}

function wordsOf<const W extends string>(
  words: readonly W[],
  others: Readonly<Record<string, W>> = {},
): Value<readonly W[]> {
  const one = oneOf(...words)
  return {
    placeholder: `${words[0]},…`,
    parse: (text, origin) => [
      ...new Set(text.split(",").map((part) => others[part.trim()] ?? one.parse(part.trim(), origin))),
    ],
  }
}

const kvTypes = wordsOf(LOAD_SETTINGS.kvTypeK.values.words)

/** Flags as llama-bench has them; lists give every combination. */
export const variantFlags = {
  threads: { value: numbers(1, 512), short: "t", description: "threads (default: as set, or all cores)" },
  gpuLayers: { value: numbers(0, 1_000_000), short: "ngl", description: "layers on GPUs (default: as set)" },
  batchSize: {
    value: numbers(1, 1_000_000),
    short: "b",
    description: "most tokens of one batch (default 2048)",
  },
  ubatchSize: {
    value: numbers(1, 1_000_000),
    short: "ub",
    description: "most tokens computed at once (default 512)",
  },
  flashAttn: {
    value: wordsOf(["auto", "on", "off"], { "0": "off", "1": "on" }),
    short: "fa",
    description: "flash attention: auto, on, off (default: as set)",
  },
  cacheTypeK: { value: kvTypes, short: "ctk", description: "KV cache type for K (default: as set)" },
  cacheTypeV: { value: kvTypes, short: "ctv", description: "KV cache type for V (default: as set)" },
} satisfies FlagTable

/** Every combination of the flags' values; what they leave open is as the model is set up. */
export function variantsOf(
  flags: FlagValues<typeof variantFlags>,
  settings: ModelSettings,
): readonly Variant[] {
  const all: Variant[] = []
  for (const gpuLayers of flags.gpuLayers ?? [settings.gpuLayers])
    for (const threads of flags.threads ?? [settings.decodeThreads ?? usableCores()])
      for (const batchTokens of flags.batchSize ?? [USUAL_BATCH])
        for (const microBatchTokens of flags.ubatchSize ?? [MICRO_BATCH_TOKENS])
          for (const flashAttention of flags.flashAttn ?? [settings.flashAttention])
            for (const kvTypeK of flags.cacheTypeK ?? [settings.kvTypeK])
              for (const kvTypeV of flags.cacheTypeV ?? [settings.kvTypeV])
                all.push({
                  gpuLayers,
                  threads,
                  batchTokens,
                  microBatchTokens: Math.min(microBatchTokens, batchTokens),
                  flashAttention,
                  kvTypeK,
                  kvTypeV,
                })
  return all
}
