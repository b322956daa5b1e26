import { type ArgsDef, parseArgs } from "citty"
import { flagName, type SettingTable } from "../../config/load"
import { text, toggle, type Value } from "../../config/values"
import { UsageError } from "../../errors/cli"
import { nearest } from "../../lib/text/nearest"

/** A flag of a command; its key determines the name (`maxTokens` → `--max-tokens`). */
export interface Flag<T> {
  readonly value: Value<T>
  readonly description: string
  /** `v` for `-v`. */
  readonly short?: string
  /** The value without `=`: what follows is then an argument of its own. Absent: a value is needed. */
  readonly bare?: string
  /** A number that follows the value as an argument of its own belongs to it, as after a colon. */
  readonly takesNumber?: true
  /** Merges the values of a repeated flag; absent: the last one wins. */
  combine?(earlier: T, later: T): T
  /** The heading in the help text; absent: the command's own flags. */
  readonly group?: string
}

export type FlagTable = Readonly<Record<string, Flag<unknown>>>

/** The values of the flags given. */
export type FlagValues<F extends FlagTable> = {
  readonly [K in keyof F]?: F[K] extends { readonly value: Value<infer T> } ? T : never
}

/** A command's arguments, split into flags and positionals. */
export interface ParsedArguments<F extends FlagTable> {
  readonly flags: FlagValues<F>
  readonly words: readonly string[]
  readonly wantsHelp: boolean
}

/** A boolean flag. */
export function switchFlag(description: string, short?: string): Flag<boolean> {
  return { value: toggle, description, ...(short !== undefined && { short }) }
}

/** Names the configuration file; for commands that read settings. */
export const configFlag = {
  config: { value: text("FILE"), description: "configuration file (default ~/.xllm/config.yaml or .json)" },
} satisfies FlagTable

/** Settings as flags, listed under their own heading. */
export function grouped<T extends SettingTable>(
  settings: T,
  group: string,
): { readonly [K in keyof T]: T[K] & { group: string } } {
  const entries = Object.entries(settings).map(([key, setting]) => [key, { ...setting, group }])
  // Same keys and values, each with one more field.
  return Object.fromEntries(entries) as { [K in keyof T]: T[K] & { group: string } }
}

/**
 * Splits `argv` into flags and positionals. Flags may appear anywhere; `--` ends them. `--name value` and
 * `--name=value` are equivalent; a flag with a value always takes the next argument, so `--gpu-layers -1` reaches the
 * range check.
 * @throws UsageError for an unknown flag (suggesting the closest one), or a missing or invalid value
 */
export function parseArguments<F extends FlagTable>(table: F, argv: readonly string[]): ParsedArguments<F> {
  const { plain, repeated } = toPlain(table, argv)
  const parsed = parseArgs(plain, cittyArguments(table))
  const values: Record<string, unknown> = {}
  for (const [key, flag] of Object.entries(table)) {
    const origin = `--${flagName(key)}`
    const given = parsed[flagName(key)]
    if (typeof given === "boolean") values[key] = given
    else if (typeof given === "string") {
      const texts = flag.combine === undefined ? [given] : (repeated[key] ?? [])
      const all = texts.map((text) => flag.value.parse(text, origin))
      values[key] = all.reduce((earlier, later) => flag.combine?.(earlier, later) ?? later)
    }
  }
  // Each value was parsed by the entry for its key.
  return { flags: values as FlagValues<F>, words: parsed._, wantsHelp: parsed["help"] === true }
}

/**
 * Without defaults: a variable or a file may set what the command line does not. All values are strings to citty,
 * which knows fewer types than we do.
 */
function cittyArguments(table: FlagTable): ArgsDef {
  const flags = Object.entries(table).map(([key, { value, description }]) => [
    flagName(key),
    { type: value.placeholder === undefined ? "boolean" : "string", description },
  ])
  return { ...Object.fromEntries(flags), help: { type: "boolean", alias: "h" } }
}

/**
 * Rewrites `argv` so that citty does not have to guess. On its own it treats an unknown flag as a switch, any text
 * but "false" as true, a missing value as empty, `--no-x` as a negation even if it is a value, `-1` as a flag, and
 * keeps only the last value of a repeated flag.
 */
function toPlain(table: FlagTable, argv: readonly string[]) {
  const flags: string[] = []
  const words: string[] = []
  const repeated: Record<string, string[]> = {}
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? ""
    if (word === "--") {
      words.push(...argv.slice(index + 1))
      break
    }
    if (word === "--help" || word === "-h") flags.push(word)
    else if (!/^-[^\d.]/.test(word)) words.push(word)
    else {
      const { key, flag, origin, negated, attached } = findFlag(table, word)
      const name = flagName(key)
      if (flag.value.placeholder === undefined) {
        const isOn = toggle.parse(attached ?? "true", origin) !== negated
        // The last one wins; for citty a negation overrides what follows it.
        dropEarlier(flags, name)
        flags.push(isOn ? `--${name}` : `--no-${name}`)
        continue
      }
      const given = attached ?? flag.bare ?? argv[++index]
      if (given === undefined)
        throw new UsageError(`${origin} needs a value: ${origin} ${flag.value.placeholder}`)
      const number =
        flag.takesNumber === true && attached === undefined ? numberAt(argv, index + 1) : undefined
      if (number !== undefined) index++
      const whole = number === undefined ? given : `${given}:${number}`
      repeated[key] = [...(repeated[key] ?? []), whole]
      flags.push(`--${name}=${whole}`)
    }
  }
  return { plain: [...flags, "--", ...words], repeated }
}

function numberAt(argv: readonly string[], index: number): string | undefined {
  const word = argv[index]
  return word !== undefined && word.trim() !== "" && Number.isFinite(Number(word)) ? word : undefined
}

function dropEarlier(flags: string[], name: string): void {
  const earlier = flags.findIndex((flag) => flag === `--${name}` || flag === `--no-${name}`)
  if (earlier !== -1) flags.splice(earlier, 1)
}

interface FoundFlag {
  readonly key: string
  readonly flag: Flag<unknown>
  /** As typed, without its value. */
  readonly origin: string
  readonly negated: boolean
  readonly attached: string | undefined
}

function findFlag(table: FlagTable, word: string): FoundFlag {
  const equals = word.indexOf("=")
  const origin = equals === -1 ? word : word.slice(0, equals)
  const attached = equals === -1 ? undefined : word.slice(equals + 1)
  for (const [key, flag] of Object.entries(table)) {
    const name = flagName(key)
    const isSwitch = flag.value.placeholder === undefined
    const negated = isSwitch && origin === `--no-${name}`
    if (negated || origin === `--${name}` || (flag.short !== undefined && origin === `-${flag.short}`)) {
      return { key, flag, origin, negated, attached }
    }
  }
  throw unknownFlag(origin, table)
}

function unknownFlag(origin: string, table: FlagTable): UsageError {
  const names = [...Object.keys(table).map(flagName), "help"]
  const near = nearest(origin.replace(/^-+/, ""), names)
  return new UsageError(`unknown flag ${origin}${near === undefined ? "" : `; did you mean --${near}?`}`)
}
