import { flagName, type SettingTable } from "../config/load"
import { toggle, type Value } from "../config/values"
import { UsageError } from "../errors"
import { nearest } from "../lib/nearest"

/** One flag of a command; its key gives the name (`maxTokens` → `--max-tokens`). */
export interface Flag<T> {
  readonly value: Value<T>
  readonly description: string
  /** One letter: `-v`. */
  readonly short?: string
  /** What a repeated flag means; absent: the last one counts. */
  combine?(earlier: T, later: T): T
  /** Heading that help lists the flag under; absent: the command's own. */
  readonly group?: string
}

export type FlagTable = Readonly<Record<string, Flag<unknown>>>

/** The flags that were given. */
export type FlagValues<F extends FlagTable> = {
  readonly [K in keyof F]?: F[K] extends { readonly value: Value<infer T> } ? T : never
}

/** A command's arguments, sorted. */
export interface ParsedArguments<F extends FlagTable> {
  readonly flags: FlagValues<F>
  readonly words: readonly string[]
  readonly wantsHelp: boolean
}

/** A flag that is on when it is named. */
export function switchFlag(description: string, short?: string): Flag<boolean> {
  return { value: toggle, description, ...(short !== undefined && { short }) }
}

/** Settings as flags, listed under a heading of their own. */
export function grouped<T extends SettingTable>(
  settings: T,
  group: string,
): { readonly [K in keyof T]: T[K] & { group: string } } {
  const entries = Object.entries(settings).map(([key, setting]) => [key, { ...setting, group }])
  // The same keys and values, each with one more field.
  return Object.fromEntries(entries) as { [K in keyof T]: T[K] & { group: string } }
}

/**
 * Sorts `argv` into flags and words. Flags may stand anywhere; `--` ends them. `--name value` and `--name=value`
 * are the same; a flag that takes a value takes the next word whatever it looks like, so `--gpu-layers -1` reaches
 * the check of its range.
 * @throws UsageError for an unknown flag (with the nearest known one), a missing or an impossible value
 */
export function parseArguments<F extends FlagTable>(table: F, argv: readonly string[]): ParsedArguments<F> {
  const values: Record<string, unknown> = {}
  const words: string[] = []
  let wantsHelp = false
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? ""
    if (word === "--") {
      words.push(...argv.slice(index + 1))
      break
    }
    if (word === "--help" || word === "-h") wantsHelp = true
    else if (!/^-[^\d.]/.test(word)) words.push(word)
    else {
      const { key, flag, origin, negated, attached } = findFlag(table, word)
      if (flag.value.placeholder === undefined) {
        const said = toggle.parse(attached ?? "true", origin)
        values[key] = said !== negated
        continue
      }
      const given = attached ?? argv[++index]
      if (given === undefined)
        throw new UsageError(`${origin} needs a value: ${origin} ${flag.value.placeholder}`)
      const value = flag.value.parse(given, origin)
      const earlier = values[key]
      values[key] = earlier === undefined || flag.combine === undefined ? value : flag.combine(earlier, value)
    }
  }
  // Each value was parsed by the table's own entry for its key.
  return { flags: values as FlagValues<F>, words, wantsHelp }
}

interface FoundFlag {
  readonly key: string
  readonly flag: Flag<unknown>
  /** As the user wrote it, without a value. */
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
