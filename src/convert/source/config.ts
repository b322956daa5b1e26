import { InvalidModelFile } from "../../errors/model"
import { type JsonRecord, recordAt, toRecord } from "../../lib/json"
import { CONVERT, MAX_INT32 } from "../../limits"

/** A model's config.json. TensorValues of a wrong type are errors that name the key. */
export class HfConfig {
  /** In messages. */
  readonly path: string
  readonly values: JsonRecord

  constructor(path: string, values: JsonRecord) {
    this.path = path
    this.values = values
  }

  /** The same with values for keys that it lacks. */
  withDefaults(defaults: JsonRecord): HfConfig {
    return new HfConfig(this.path, { ...defaults, ...this.values })
  }

  fail(reason: string): InvalidModelFile {
    return new InvalidModelFile(this.path, reason)
  }

  has(key: string): boolean {
    return this.values[key] !== undefined && this.values[key] !== null
  }

  record(key: string): JsonRecord | undefined {
    return recordAt(this.values, key)
  }

  /** The first of the keys that there is, as a number that is at least 0. */
  optionalCount(...keys: readonly string[]): number | undefined {
    const key = keys.find((each) => this.has(each))
    if (key === undefined) return undefined
    const value = this.values[key]
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > MAX_INT32)
      throw this.fail(`'${key}' must be a whole number, got ${shown(value)}`)
    return value
  }

  /** @throws InvalidModelFile if there is none, or it is 0 */
  count(...keys: readonly string[]): number {
    const value = this.optionalCount(...keys)
    if (value === undefined) throw this.fail(`it has no '${keys[0] ?? ""}'`)
    if (value === 0) throw this.fail(`'${keys[0] ?? ""}' must not be 0`)
    return value
  }

  /** A number of layers, heads or experts. */
  parts(...keys: readonly string[]): number {
    const value = this.count(...keys)
    if (value > CONVERT.parts) throw this.fail(`'${keys[0] ?? ""}' is ${value}, more than ${CONVERT.parts}`)
    return value
  }

  optionalNumber(...keys: readonly string[]): number | undefined {
    const key = keys.find((each) => this.has(each))
    return key === undefined ? undefined : configNumber(this, this.values, key)
  }

  number(...keys: readonly string[]): number {
    const value = this.optionalNumber(...keys)
    if (value === undefined) throw this.fail(`it has no '${keys[0] ?? ""}'`)
    return value
  }

  flag(key: string): boolean | undefined {
    const value = this.values[key]
    return typeof value === "boolean" ? value : undefined
  }

  text(...keys: readonly string[]): string | undefined {
    const value = keys.map((key) => this.values[key]).find((each) => typeof each === "string")
    return typeof value === "string" ? value : undefined
  }

  /** A list of texts; empty where there is none. */
  texts(key: string): readonly string[] {
    const value = this.values[key]
    if (!Array.isArray(value)) return []
    if (value.length > CONVERT.parts) throw this.fail(`'${key}' has ${value.length} entries`)
    return value.map(String)
  }

  numbers(key: string): readonly number[] | undefined {
    return configNumbers(this, this.values, key)
  }

  /** The class that the model was saved from. */
  get architecture(): string {
    const [name] = this.texts("architectures")
    if (name === undefined) throw this.fail("it has no 'architectures', which say what the model is")
    return name
  }

  get heads(): number {
    return this.parts("num_attention_heads", "n_head", "n_heads")
  }

  get keyValueHeads(): number {
    return this.has("num_key_value_heads") ? this.parts("num_key_value_heads") : this.heads
  }

  /** The size of an attention head. */
  get headSize(): number {
    if (this.has("head_dim")) return this.count("head_dim")
    return Math.floor(this.count("hidden_size", "n_embd") / this.heads)
  }

  get layers(): number {
    return this.parts("num_hidden_layers", "n_layers", "n_layer", "num_layers")
  }
}

/**
 * The configuration of the text model: that of a multimodal model has it in a part of its own, whose values go before.
 */
export function textConfig(path: string, values: JsonRecord): HfConfig {
  const text = toRecord(values["text_config"]) ?? toRecord(values["llm_config"])
  if (text === undefined) return new HfConfig(path, values)
  const own = Object.fromEntries(Object.entries(text).filter(([, value]) => value !== null))
  return new HfConfig(path, { ...values, ...own, architectures: values["architectures"] })
}

export function configNumber(config: HfConfig, values: JsonRecord, key: string): number | undefined {
  const value = values[key]
  if (value === undefined || value === null) return undefined
  if (typeof value !== "number" || !Number.isFinite(value))
    throw config.fail(`'${key}' must be a number, got ${shown(value)}`)
  return value
}

export function configNumbers(
  config: HfConfig,
  values: JsonRecord,
  key: string,
): readonly number[] | undefined {
  const value = values[key]
  if (value === undefined || value === null) return undefined
  if (!Array.isArray(value) || value.length > CONVERT.parts || !value.every(isNumber))
    throw config.fail(`'${key}' must be a list of numbers`)
  return value
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value)
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 40)
}
