import { charactersOf } from "./characters"
import {
  anyOf,
  characters,
  IMPOSSIBLE,
  isNothing,
  type GrammarNode,
  NOTHING,
  optional,
  repeat,
  sequence,
  terminal,
} from "./node"

/** Digits before and after the point: all that a double can tell apart. Bounded, so that small models end. */
const MOST_DIGITS = 15

const DIGIT = digits(0, 9)

/** The numbers of JSON. */
export const ANY_INTEGER: GrammarNode = sequence(
  optional(terminal("-")),
  anyOf(terminal("0"), sequence(digits(1, 9), repeat(DIGIT, 0, MOST_DIGITS))),
)
export const ANY_NUMBER: GrammarNode = sequence(
  ANY_INTEGER,
  optional(sequence(terminal("."), repeat(DIGIT, 1, MOST_DIGITS))),
  optional(
    sequence(
      anyOf(terminal("e"), terminal("E")),
      optional(anyOf(terminal("+"), terminal("-"))),
      repeat(DIGIT, 1, 2),
    ),
  ),
)

/** A decimal number of a bound: its digits before and after the point. */
interface Decimal {
  readonly whole: bigint
  readonly fraction: string
}

interface Bound {
  readonly value: Decimal
  readonly isExclusive: boolean
}

export interface NumberBounds {
  readonly min?: number
  readonly isMinExclusive?: boolean
  readonly max?: number
  readonly isMaxExclusive?: boolean
}

/** Integers between two bounds. */
export function integersWithin({ min, isMinExclusive, max, isMaxExclusive }: NumberBounds): GrammarNode {
  const least = min === undefined ? undefined : firstInteger(min, isMinExclusive === true)
  const most = max === undefined ? undefined : lastInteger(max, isMaxExclusive === true)
  return signed(least === undefined ? undefined : least, most === undefined ? undefined : most, (from, to) =>
    naturals(from, to),
  )
}

/** Decimal numbers between two bounds, without exponents. `mostFraction`: digits after the point. */
export function numbersWithin(bounds: NumberBounds, mostFraction = MOST_DIGITS): GrammarNode {
  const least = boundOf(bounds.min, bounds.isMinExclusive)
  const most = boundOf(bounds.max, bounds.isMaxExclusive)
  const zero: Bound = { value: { whole: 0n, fraction: "" }, isExclusive: false }
  const alternatives: GrammarNode[] = []
  if (bounds.max === undefined || bounds.max >= 0)
    alternatives.push(
      decimals(least === undefined || (bounds.min ?? 0) < 0 ? zero : least, most, mostFraction),
    )
  // Below zero, the bounds exchange their places.
  if (bounds.min === undefined || bounds.min < 0) {
    const from = most !== undefined && (bounds.max ?? 0) < 0 ? most : { ...zero, isExclusive: true }
    alternatives.push(sequence(terminal("-"), decimals(from, least, mostFraction)))
  }
  return anyOf(...alternatives)
}

/**
 * Integers that are multiples of `divisor` (1 to 100), read digit by digit: one rule for each remainder and number of
 * digits, as larger numbers are not told apart by those who read them.
 */
export function multiplesOf(
  divisor: number,
  add: (remainder: number, left: number, node: () => GrammarNode) => GrammarNode,
): GrammarNode {
  const after = (remainder: number, left: number): GrammarNode => {
    const end = remainder === 0 ? NOTHING : IMPOSSIBLE
    if (left === 0) return end
    return add(remainder, left, () => {
      const next = Array.from({ length: 10 }, (_, digit) =>
        sequence(digits(digit, digit), after((remainder * 10 + digit) % divisor, left - 1)),
      )
      return anyOf(...next, end)
    })
  }
  const first = Array.from({ length: 9 }, (_, index) =>
    sequence(digits(index + 1, index + 1), after((index + 1) % divisor, MOST_DIGITS - 1)),
  )
  return anyOf(terminal("0"), sequence(optional(terminal("-")), anyOf(...first)))
}

function firstInteger(min: number, isExclusive: boolean): bigint {
  const least = BigInt(Math.ceil(min))
  return isExclusive && Number.isInteger(min) ? least + 1n : least
}

function lastInteger(max: number, isExclusive: boolean): bigint {
  const most = BigInt(Math.floor(max))
  return isExclusive && Number.isInteger(max) ? most - 1n : most
}

function signed(
  least: bigint | undefined,
  most: bigint | undefined,
  magnitudes: (from: bigint, to: bigint | undefined) => GrammarNode,
): GrammarNode {
  const alternatives: GrammarNode[] = []
  if (most === undefined || most >= 0n)
    alternatives.push(magnitudes(least === undefined || least < 0n ? 0n : least, most))
  if (least === undefined || least < 0n) {
    const from = most === undefined || most >= 0n ? 1n : -most
    alternatives.push(sequence(terminal("-"), magnitudes(from, least === undefined ? undefined : -least)))
  }
  return anyOf(...alternatives)
}

/** The natural numbers from `from` to `to`, without leading zeros; `to` undefined: without an upper bound. */
function naturals(from: bigint, to: bigint | undefined): GrammarNode {
  if (to !== undefined && from > to) return IMPOSSIBLE
  if (from === 0n) return anyOf(terminal("0"), naturals(1n, to === undefined ? undefined : to))
  const low = from.toString()
  if (to === undefined) {
    // As many digits and at least as large, or more digits.
    const longer = sequence(digits(1, 9), repeat(DIGIT, low.length, Math.max(low.length, MOST_DIGITS)))
    return anyOf(digitsBetween(low, "9".repeat(low.length)), longer)
  }
  const high = to.toString()
  const alternatives: GrammarNode[] = []
  for (let length = low.length; length <= high.length; length++)
    alternatives.push(
      digitsBetween(
        length === low.length ? low : `1${"0".repeat(length - 1)}`,
        length === high.length ? high : "9".repeat(length),
      ),
    )
  return anyOf(...alternatives)
}

/** Digits between two texts of the same length. */
function digitsBetween(low: string, high: string): GrammarNode {
  const [first = "", last = ""] = [low[0], high[0]]
  if (low === "") return NOTHING
  if (/^0*$/.test(low) && /^9*$/.test(high)) return repeat(DIGIT, low.length, low.length)
  if (first === last) return sequence(terminal(first), digitsBetween(low.slice(1), high.slice(1)))
  const rest = low.length - 1
  const [from, to] = [Number(first), Number(last)]
  const lowIsWhole = /^0*$/.test(low.slice(1))
  const highIsWhole = /^9*$/.test(high.slice(1))
  const middle = [lowIsWhole ? from : from + 1, highIsWhole ? to : to - 1] as const
  return anyOf(
    ...(lowIsWhole ? [] : [sequence(terminal(first), digitsBetween(low.slice(1), "9".repeat(rest)))]),
    ...(middle[0] <= middle[1] ? [sequence(digits(...middle), repeat(DIGIT, rest, rest))] : []),
    ...(highIsWhole ? [] : [sequence(terminal(last), digitsBetween("0".repeat(rest), high.slice(1)))]),
  )
}

/** The absolute value, in decimal digits. */
function boundOf(value: number | undefined, isExclusive = false): Bound | undefined {
  if (value === undefined) return undefined
  const [mantissa = "0", exponent = "0"] = Math.abs(value).toString().split("e")
  const [whole = "0", fraction = ""] = mantissa.split(".")
  const shift = Number(exponent)
  const all = whole + fraction
  const point = whole.length + shift
  const padded = point <= 0 ? "0".repeat(1 - point) + all : all.padEnd(point, "0")
  const at = Math.max(1, point)
  return {
    value: { whole: BigInt(padded.slice(0, at)), fraction: padded.slice(at).replace(/0+$/, "") },
    isExclusive,
  }
}

/** Decimals from `low` to `high`, both at least 0; `high` undefined: without an upper bound. */
function decimals(low: Bound, high: Bound | undefined, most: number): GrammarNode {
  const [from, to] = [low.value.whole, high?.value.whole]
  // More digits would be rounded, perhaps to an excluded bound.
  const mostFraction = Math.max(0, Math.min(most, MOST_DIGITS - (to ?? from).toString().length))
  const any = fraction(to === undefined ? most : mostFraction)
  if (to !== undefined && from > to) return IMPOSSIBLE
  if (to !== undefined && high !== undefined && from === to)
    return sequence(terminal(from.toString()), fractionsBetween(low, high, mostFraction))
  const between = to === undefined ? naturals(from + 1n, undefined) : naturals(from + 1n, to - 1n)
  return anyOf(
    sequence(terminal(from.toString()), fractionsFrom(low, mostFraction)),
    sequence(between, any),
    ...(to === undefined || high === undefined
      ? []
      : [sequence(terminal(to.toString()), fractionsTo(high, mostFraction))]),
  )
}

/** Any digits after the point, or none. */
function fraction(most: number): GrammarNode {
  return most === 0 ? NOTHING : optional(sequence(terminal("."), repeat(DIGIT, 1, most)))
}

function fractionsFrom({ value, isExclusive }: Bound, most: number): GrammarNode {
  const inner = atLeast(value.fraction, isExclusive, most)
  const isZero = value.fraction === ""
  return anyOf(...(isZero && !isExclusive ? [NOTHING] : []), withPoint(inner))
}

function fractionsTo({ value, isExclusive }: Bound, most: number): GrammarNode {
  if (value.fraction === "" && isExclusive) return IMPOSSIBLE
  return anyOf(NOTHING, withPoint(atMost(value.fraction, isExclusive, most)))
}

function fractionsBetween(low: Bound, high: Bound, most: number): GrammarNode {
  const isZero = low.value.fraction === "" && !low.isExclusive
  const isAllowed = high.value.fraction !== "" || !high.isExclusive
  return anyOf(
    ...(isZero && isAllowed ? [NOTHING] : []),
    withPoint(between(low.value.fraction, high.value.fraction, low.isExclusive, high.isExclusive, most)),
  )
}

function withPoint(inner: GrammarNode): GrammarNode {
  // A point is followed by at least one digit.
  const full = inner.type === "any-of" ? anyOf(...inner.nodes.filter((node) => !isNothing(node))) : inner
  return isNothing(full) ? IMPOSSIBLE : sequence(terminal("."), full)
}

/** At most `most` digits after the point whose value is at least (above, if exclusive) that of `low`. */
function atLeast(low: string, isExclusive: boolean, most: number): GrammarNode {
  if (most === 0) return low === "" && !isExclusive ? NOTHING : IMPOSSIBLE
  if (low === "")
    return isExclusive
      ? // Any digits with one that is not 0.
        anyOf(
          sequence(digits(1, 9), repeat(DIGIT, 0, most - 1)),
          sequence(terminal("0"), atLeast("", true, most - 1)),
        )
      : anyOf(NOTHING, repeat(DIGIT, 1, most))
  const digit = Number(low[0])
  return anyOf(
    ...(digit < 9 ? [sequence(digits(digit + 1, 9), repeat(DIGIT, 0, most - 1))] : []),
    sequence(digits(digit, digit), atLeast(low.slice(1), isExclusive, most - 1)),
  )
}

/** At most `most` digits after the point whose value is at most (below, if exclusive) that of `high`. */
function atMost(high: string, isExclusive: boolean, most: number): GrammarNode {
  if (high === "")
    return isExclusive ? IMPOSSIBLE : anyOf(NOTHING, ...(most > 0 ? [repeat(terminal("0"), 1, most)] : []))
  if (most === 0) return NOTHING
  const digit = Number(high[0])
  return anyOf(
    NOTHING,
    ...(digit > 0 ? [sequence(digits(0, digit - 1), repeat(DIGIT, 0, most - 1))] : []),
    sequence(digits(digit, digit), atMost(high.slice(1), isExclusive, most - 1)),
  )
}

function between(
  low: string,
  high: string,
  isLowExclusive: boolean,
  isHighExclusive: boolean,
  most: number,
): GrammarNode {
  if (low === "" && !isLowExclusive) return atMost(high, isHighExclusive, most)
  if (high === "" || most === 0) return IMPOSSIBLE
  const [from, to] = [Number(low[0] ?? "0"), Number(high[0])]
  if (from > to) return IMPOSSIBLE
  if (from === to)
    return sequence(
      digits(from, from),
      between(low.slice(1), high.slice(1), isLowExclusive, isHighExclusive, most - 1),
    )
  return anyOf(
    sequence(digits(from, from), atLeast(low.slice(1), isLowExclusive, most - 1)),
    ...(from + 1 <= to - 1 ? [sequence(digits(from + 1, to - 1), repeat(DIGIT, 0, most - 1))] : []),
    sequence(digits(to, to), atMost(high.slice(1), isHighExclusive, most - 1)),
  )
}

function digits(first: number, last: number): GrammarNode {
  return characters(charactersOf([[0x30 + first, 0x30 + last]]))
}
