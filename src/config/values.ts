import type { SettingValues } from "../domain/setting-values"
import { UsageError } from "../errors/cli"
import { BYTES_PATTERN, parseBytes } from "../lib/text/bytes"
import { DURATION_PATTERN, parseDuration } from "../lib/text/duration"
import { shorten } from "../lib/text/shorten"
import {
  type ListBound,
  LONGEST_STAY_SECONDS,
  LONGEST_WAIT_SECONDS,
  SETTINGS,
  SHOWN,
  type TextBound,
} from "../limits"

/** A type of value for flags and environment variables. */
export interface Value<T> {
  /** Placeholder for the value in help texts; absent for plain switches (`--mlock`, `--no-mlock`). */
  readonly placeholder?: string
  /**
   * @param origin the source's name in an error: `--port`, `XLLM_PORT`
   * @throws UsageError with the origin, the rule and the given text
   */
  parse(text: string, origin: string): T
}

export type JsonSchema = Readonly<Record<string, unknown>>

/** A type of value that a configuration file can have too. */
export interface ConfigValue<T> extends Value<T> {
  /** The rule for values, to follow "must be". */
  readonly rule: string
  /** Admits everything that {@link read} accepts; `read` may be stricter. */
  readonly schema: JsonSchema
  /**
   * Reads a value of a file that fits the schema.
   * @throws UsageError as {@link Value.parse}
   */
  read(given: unknown, origin: string): T
  /** The value as text that `parse` accepts. */
  show(value: T): string
}

interface Kind<T> {
  readonly placeholder?: string
  readonly rule: string
  readonly schema: JsonSchema
  /** `undefined`: the text is not a value of this type. */
  parse(text: string): T | undefined
  /** The rule that an excessive value violates, to follow "must be"; undefined for other values. */
  excess?(value: T): string | undefined
}

function kindOf<T>({ placeholder, rule, schema, parse, excess }: Kind<T>): ConfigValue<T> {
  const checked = (given: string, origin: string): T => {
    const value = parse(given)
    if (value === undefined) throw refusal(origin, rule, `'${given}'`)
    const narrower = excess?.(value)
    if (narrower !== undefined) throw refusal(origin, narrower, `'${given}'`)
    return value
  }
  return {
    ...(placeholder !== undefined && { placeholder }),
    rule,
    schema,
    parse: checked,
    read: (given, origin) => checked(String(given), origin),
    show: String,
  }
}

/** `--port must be a number, got 'x'`; `given` in displayable form. */
export function refusal(origin: string, rule: string, given: string): UsageError {
  return new UsageError(`${origin} must be ${rule}, got ${shorten(given, SHOWN.name)}`)
}

/** Any text, neither empty nor too long. */
export function text(placeholder: string, { maxLength }: TextBound = SETTINGS.text): ConfigValue<string> {
  return kindOf({
    placeholder,
    rule: "a string",
    schema: { type: "string", minLength: 1 },
    parse: (given) => given || undefined,
    excess: (given) => (given.length > maxLength ? `a string of at most ${maxLength} characters` : undefined),
  })
}

/** An address with its scheme, without a trailing slash. */
export const url: ConfigValue<string> = kindOf({
  placeholder: "URL",
  rule: "an http or https URL",
  schema: { type: "string", minLength: 1 },
  parse(given) {
    if (given.length > SETTINGS.text.maxLength) return undefined
    const parsed = URL.parse(given.trim())
    const isUsable = parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.hostname !== ""
    return isUsable ? parsed.href.replace(/\/+$/, "") : undefined
  },
})

/** On or off. */
export const toggle: ConfigValue<boolean> = kindOf({
  rule: "true or false",
  schema: { type: "boolean" },
  parse(given) {
    if (/^(1|true|yes|on)$/i.test(given)) return true
    return /^(0|false|no|off)$/i.test(given) ? false : undefined
  },
})

/** An integer; `8k` means 8 × 1024, as usual for context lengths. */
export function integer(placeholder: string, minimum: number, maximum: number): ConfigValue<number> {
  return kindOf({
    placeholder,
    rule: `a whole number from ${minimum} to ${maximum}`,
    schema: {
      anyOf: [
        { type: "integer", minimum, maximum },
        { type: "string", pattern: "^\\d{1,15}[kK]$" },
      ],
    },
    parse(given) {
      const match = /^([+-]?\d{1,15})(k?)$/i.exec(given.trim())
      const number = match === null ? NaN : Number(match[1]) * (match[2] === "" ? 1 : 1024)
      return number >= minimum && number <= maximum ? number : undefined
    },
  })
}

/** A number with or without a fraction. */
export function decimal(placeholder: string, minimum: number, maximum: number): ConfigValue<number> {
  return kindOf({
    placeholder,
    rule: `a number from ${minimum} to ${maximum}`,
    schema: { type: "number", minimum, maximum },
    parse(given) {
      const number = given.trim() === "" ? NaN : Number(given)
      return Number.isFinite(number) && number >= minimum && number <= maximum ? number : undefined
    },
  })
}

/** A waiting time in seconds: `90`, `5m`, `1h30m`. */
export const duration = time(LONGEST_WAIT_SECONDS)

/** A storage time in seconds. */
export const stay = time(LONGEST_STAY_SECONDS)

function time(longestSeconds: number): ConfigValue<number> {
  return {
    ...kindOf({
      placeholder: "TIME",
      rule: "a time, such as 90 (seconds), 5m or 1h30m",
      schema: {
        anyOf: [
          { type: "number", minimum: 0 },
          { type: "string", pattern: DURATION_PATTERN },
        ],
      },
      parse: parseDuration,
      excess: (seconds) => (seconds > longestSeconds ? `at most ${longestSeconds / 86_400}d` : undefined),
    }),
    show: (seconds) =>
      seconds > 0 && seconds % 3600 === 0
        ? `${seconds / 3600}h`
        : seconds > 0 && seconds % 60 === 0
          ? `${seconds / 60}m`
          : `${seconds}s`,
  }
}

/** A size in bytes: `1000000`, `8GiB`. */
export const bytes: ConfigValue<number> = {
  ...kindOf({
    placeholder: "SIZE",
    rule: "a size, such as 1000000 (bytes), 500MB or 8GiB",
    schema: {
      anyOf: [
        { type: "integer", minimum: 1 },
        { type: "string", pattern: BYTES_PATTERN },
      ],
    },
    parse: (given) => parseBytes(given) || undefined,
    excess: (size) => (size > SETTINGS.bytes.max ? "at most 1 PiB" : undefined),
  }),
  show(value) {
    const power = [3, 2, 1].find((power) => value % 1024 ** power === 0) ?? 0
    return power === 0 ? String(value) : `${value / 1024 ** power}${["", "KiB", "MiB", "GiB"][power]}`
  },
}

/** One of a few words. */
export function oneOf<const W extends string>(...words: readonly W[]): ConfigValue<W> {
  return kindOf({
    placeholder: words.join("|"),
    rule: `one of ${words.join(", ")}`,
    schema: { enum: words },
    parse: (given) => words.find((word) => word === given.toLowerCase()),
  })
}

/** Several values, separated by commas; a list in a file. */
export function list<T>(
  item: ConfigValue<T>,
  placeholder: string,
  { maxItems }: ListBound = SETTINGS.list,
): ConfigValue<readonly T[]> {
  const checked = <G>(given: readonly G[], origin: string): readonly G[] => {
    if (given.length <= maxItems) return given
    throw new UsageError(`${origin} must have at most ${maxItems} entries, got ${given.length}`)
  }
  return {
    placeholder,
    rule: `a list, each item ${item.rule}`,
    schema: { type: "array", items: item.schema },
    parse: (given, origin) =>
      checked(given.split(","), origin).map((part) => item.parse(part.trim(), origin)),
    // The schema ensures an array.
    read: (given, origin) =>
      checked(given as readonly unknown[], origin).map((one) => item.read(one, origin)),
    show: (values) => values.map(item.show).join(","),
  }
}

/** `value`, or a word for `null`: the program decides, or nothing is chosen. */
export function orAutomatic<T>(value: ConfigValue<T>, word: string): ConfigValue<T | null> {
  const isWord = (given: unknown) => typeof given === "string" && given.toLowerCase() === word
  return {
    ...(value.placeholder !== undefined && { placeholder: value.placeholder }),
    rule: `${value.rule}, or ${word}`,
    schema: { anyOf: [value.schema, { enum: [word, null] }] },
    parse: (given, origin) => (isWord(given) ? null : value.parse(given, origin)),
    read: (given, origin) => (given === null || isWord(given) ? null : value.read(given, origin)),
    show: (chosen) => (chosen === null ? word : value.show(chosen)),
  }
}

/** A list that may be empty, for which text uses `word`. */
export function orNone<T>(value: ConfigValue<readonly T[]>, word: string): ConfigValue<readonly T[]> {
  return {
    ...value,
    rule: `${value.rule}, or ${word}`,
    schema: { anyOf: [value.schema, { enum: [word] }] },
    parse: (given, origin) => (given.toLowerCase() === word ? [] : value.parse(given, origin)),
    read: (given, origin) => (given === word ? [] : value.read(given, origin)),
    show: (values) => (values.length === 0 ? word : value.show(values)),
  }
}

/** The values of a model's setting, from their description. */
export function configValue(values: SettingValues): ConfigValue<unknown> {
  const plain = plainValue(values)
  return values.automatic === undefined ? plain : orAutomatic(plain, values.automatic)
}

function plainValue(values: SettingValues): ConfigValue<unknown> {
  switch (values.kind) {
    case "integer":
      return integer(values.placeholder, values.min, values.max)
    case "decimal":
      return decimal(values.placeholder, values.min, values.max)
    case "words": {
      const { placeholder = values.words.join("|") } = values
      return { ...oneOf(...values.words), placeholder }
    }
    case "toggle":
      return toggle
    case "text":
      return text(values.placeholder)
    case "wait":
      return duration
    case "stay":
      return stay
    case "list":
      return list(configValue(values.item), values.placeholder, values)
    default:
      return values satisfies never
  }
}
