import { UsageError } from "../errors"

/** A kind of value that a flag or an environment variable can have. */
export interface Value<T> {
  /** Stands for the value in help texts; absent where naming the flag is enough (`--mlock`, `--no-mlock`). */
  readonly placeholder?: string
  /**
   * @param origin what to call the source in an error: `--port`, `XLLM_PORT`
   * @throws UsageError that names the origin, the rule and the text given
   */
  parse(text: string, origin: string): T
}

function refuse(origin: string, rule: string, text: string): never {
  throw new UsageError(`${origin} must be ${rule}, got '${text}'`)
}

/** Any text but an empty one. */
export function text(placeholder: string): Value<string> {
  return { placeholder, parse: (given, origin) => given || refuse(origin, "a text", given) }
}

/** On or off. */
export const toggle: Value<boolean> = {
  parse(given, origin) {
    if (/^(1|true|yes|on)$/i.test(given)) return true
    if (/^(0|false|no|off)$/i.test(given)) return false
    return refuse(origin, "true or false", given)
  },
}

function range(minimum: number, maximum: number): string {
  return maximum === Infinity ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`
}

/** A whole number; `8k` means 8 × 1024, as context lengths are usually said. */
export function integer(placeholder: string, minimum: number, maximum = Infinity): Value<number> {
  return {
    placeholder,
    parse(given, origin) {
      const match = /^([+-]?\d{1,15})(k?)$/i.exec(given.trim())
      const number = match === null ? NaN : Number(match[1]) * (match[2] === "" ? 1 : 1024)
      if (number >= minimum && number <= maximum) return number
      return refuse(origin, `a whole number ${range(minimum, maximum)}`, given)
    },
  }
}

/** A number with or without a fraction. */
export function decimal(placeholder: string, minimum: number, maximum = Infinity): Value<number> {
  return {
    placeholder,
    parse(given, origin) {
      const number = given.trim() === "" ? NaN : Number(given)
      if (Number.isFinite(number) && number >= minimum && number <= maximum) return number
      return refuse(origin, `a number ${range(minimum, maximum)}`, given)
    },
  }
}

/** One of a few words. */
export function oneOf<const W extends string>(...words: readonly W[]): Value<W> {
  return {
    placeholder: words.join("|"),
    parse(given, origin) {
      const found = words.find((word) => word === given.toLowerCase())
      return found ?? refuse(origin, `one of ${words.join(", ")}`, given)
    },
  }
}

/** Any of several values, separated by commas. */
export function list<T>(item: Value<T>, placeholder: string): Value<readonly T[]> {
  return {
    placeholder,
    parse: (given, origin) => given.split(",").map((part) => item.parse(part.trim(), origin)),
  }
}

/** `value`, or a word that stands for `null`: the choice is left to the program. */
export function orAutomatic<T>(value: Value<T>, word: string): Value<T | null> {
  return {
    ...(value.placeholder !== undefined && { placeholder: value.placeholder }),
    parse: (given, origin) => (given.toLowerCase() === word ? null : value.parse(given, origin)),
  }
}
