/**
 * The values of a setting, described as data. Its TypeScript type, the parsing of flags, variables and files, and the
 * rule for its Modelfile parameter all follow from this description.
 */
export type SettingValues = PlainValues & {
  /** A word for `null`: the program decides. */
  readonly automatic?: string
}

type PlainValues =
  | { readonly kind: "integer"; readonly placeholder: string; readonly min: number; readonly max: number }
  | { readonly kind: "decimal"; readonly placeholder: string; readonly min: number; readonly max: number }
  | { readonly kind: "words"; readonly placeholder?: string; readonly words: readonly string[] }
  | { readonly kind: "toggle" }
  | { readonly kind: "text"; readonly placeholder: string }
  /** Seconds; `wait` for timers, `stay` for longer periods. */
  | { readonly kind: "wait" | "stay" }
  | {
      readonly kind: "list"
      readonly placeholder: string
      readonly item: SettingValues
      readonly maxItems: number
    }

/** The type of the values that are described. */
export type ValueOf<V> = PlainValueOf<V> | (V extends { readonly automatic: string } ? null : never)

type PlainValueOf<V> = V extends { readonly kind: "words"; readonly words: readonly (infer W)[] }
  ? W
  : V extends { readonly kind: "list"; readonly item: infer I }
    ? readonly ValueOf<I>[]
    : V extends { readonly kind: "toggle" }
      ? boolean
      : V extends { readonly kind: "text" }
        ? string
        : number

interface Bounds {
  readonly min: number
  readonly max: number
}

export function integers({ min, max }: Bounds) {
  return { kind: "integer", placeholder: "N", min, max } as const
}

export function decimals({ min, max }: Bounds) {
  return { kind: "decimal", placeholder: "N", min, max } as const
}

/** @param placeholder absent: the words themselves */
export function words<const W extends string>(words: readonly W[], placeholder?: string) {
  return { kind: "words", words, ...(placeholder !== undefined && { placeholder }) } as const
}

export function texts(placeholder: string) {
  return { kind: "text", placeholder } as const
}

export function lists<const I extends SettingValues>(
  item: I,
  placeholder: string,
  { maxItems }: { readonly maxItems: number },
) {
  return { kind: "list", item, placeholder, maxItems } as const
}

export const toggles = { kind: "toggle" } as const
export const waits = { kind: "wait" } as const
export const stays = { kind: "stay" } as const

/** `values`, or a word for the program's own choice. */
export function orChosen<const V extends SettingValues, const W extends string>(values: V, automatic: W) {
  return { ...values, automatic }
}
