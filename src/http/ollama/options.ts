import type { GenerationOptions, OutputConstraint, ReasoningOptions } from "../../domain/chat"
import { InvalidRequest } from "../../errors/request"
import { COUNTS, NUMBERS, TEXTS } from "../../limits"
import { readAdapters } from "../read/adapters"
import { checkText, defined, Fields, invalidField } from "../read/fields"
import type { HeaderOptions } from "../read/headers"
import { isJsonObject } from "../read/body/json-body"
import { readModelOptions } from "../read/options"
import { checkSchema } from "../read/output-constraint"
import { LLAMA_LIMITS, readSampling } from "../read/sampling"

/** Options that have a meaning here. */
const KNOWN: ReadonlySet<string> = new Set([
  "dynatemp_exponent",
  "dynatemp_range",
  "frequency_penalty",
  "logit_bias",
  "lora",
  "min_p",
  "mirostat",
  "mirostat_eta",
  "mirostat_tau",
  "num_ctx",
  "num_predict",
  "presence_penalty",
  "repeat_last_n",
  "repeat_penalty",
  "seed",
  "stop",
  "temperature",
  "top_k",
  "top_p",
  "typical_p",
])

/** What all generation requests have in common. */
export interface CommonCall {
  readonly shared: Omit<GenerationOptions, "stop"> & { readonly stop: readonly string[] }
  readonly model: string
  readonly stream: boolean
  readonly reasoning: ReasoningOptions | undefined
  /** Drop the oldest messages of a chat that is too long. */
  readonly truncates: boolean
  /** The least length of its context in tokens. */
  readonly wantedContext: number | undefined
  /** Names of options without an effect. */
  readonly unusedOptions: readonly string[]
}

/** @throws InvalidRequest, Unsupported */
export function readCommon(fields: Fields, headers: HeaderOptions): CommonCall {
  const { model, ...modelOptions } = readModelOptions(fields)
  if (model === undefined) throw new InvalidRequest("model is required", "model")
  const given = fields.object("options") ?? {}
  const options = new Fields(given, "options.")
  const output = readFormat(fields.unchecked("format"))
  return {
    model,
    stream: fields.boolean("stream") ?? true,
    reasoning: readThink(fields.unchecked("think")),
    truncates: fields.boolean("truncate") ?? false,
    wantedContext: options.integer("num_ctx", { ...NUMBERS.context, min: 0 }),
    unusedOptions: Object.keys(given).filter((name) => !KNOWN.has(name)),
    shared: {
      model,
      ...headers,
      ...modelOptions,
      n: 1,
      minTokens: 0,
      cachePrompt: true,
      returnProgress: false,
      stop: readStop(options),
      sampling: readSampling(options, LLAMA_LIMITS),
      ...defined({
        maxTokens: readMaxTokens(options),
        output,
        topLogprobs: readLogprobs(fields),
        lora: readAdapters(fields) ?? readAdapters(options),
      }),
    },
  }
}

/** Negative numbers mean no limit. */
function readMaxTokens(options: Fields): number | undefined {
  const most = options.integer("num_predict", { ...NUMBERS.tokens, min: -2 })
  return most !== undefined && most < 0 ? Number.POSITIVE_INFINITY : most
}

function readStop(options: Fields): readonly string[] {
  const given = options.unchecked("stop")
  const texts = typeof given === "string" ? [given] : (options.list("stop", COUNTS.stops) ?? [])
  return texts
    .map((text, index) => checkText(`options.stop[${index}]`, text, TEXTS.stop))
    .filter((text) => text !== "")
}

function readLogprobs(fields: Fields): number | undefined {
  const top = fields.integer("top_logprobs", NUMBERS.topLogprobs)
  const isWanted = fields.boolean("logprobs") ?? false
  return isWanted ? (top ?? 0) : undefined
}

/** `json`, or a JSON schema. */
function readFormat(format: unknown): OutputConstraint | undefined {
  if (format === undefined || format === "") return undefined
  if (format === "json") return { type: "json" }
  if (!isJsonObject(format)) throw invalidField("format", `"json" or a JSON schema`, format)
  checkSchema("format", format)
  return { type: "schema", schema: format, isStrict: false }
}

const LEVELS: readonly unknown[] = ["low", "medium", "high", "max"]

/** A switch, or how much to think. Unset, a model that can think does. */
function readThink(think: unknown): ReasoningOptions | undefined {
  if (think === undefined) return undefined
  if (typeof think === "boolean") return { isEnabled: think }
  if (typeof think === "string" && LEVELS.includes(think)) return { isEnabled: true, effort: think }
  throw invalidField("think", 'true, false, "low", "medium", "high" or "max"', think)
}
