import { describe, expect, test } from "bun:test"
import type { GrammarNode } from "../../src/grammar/node"
import { integersWithin, type NumberBounds, numbersWithin } from "../../src/grammar/numbers"
import { matches } from "../support/grammar-match"

function accepts(node: GrammarNode, text: string): boolean {
  return matches({ rules: new Map([["root", node]]) }, text)
}

const BOUNDS: readonly NumberBounds[] = [
  { min: -5, max: 120 },
  { min: 0 },
  { max: 0 },
  { min: 1, isMinExclusive: true },
  { max: -3, isMaxExclusive: true },
  { min: -17, max: -4 },
  { min: 99, max: 101 },
  { min: 7, max: 7 },
  { min: -0.5, max: 2.25 },
  { min: 0.1, isMinExclusive: true, max: 0.3, isMaxExclusive: true },
  { min: 1.05, max: 1.5 },
]

function isWithin(value: number, { min, isMinExclusive, max, isMaxExclusive }: NumberBounds): boolean {
  const isAbove = min === undefined || (isMinExclusive === true ? value > min : value >= min)
  return isAbove && (max === undefined || (isMaxExclusive === true ? value < max : value <= max))
}

describe.each(BOUNDS.map((bounds) => [bounds] as const))("numbers within %j", (bounds) => {
  test("are exactly those integers", () => {
    const node = integersWithin(bounds)
    for (let value = -150; value <= 150; value++)
      expect([value, accepts(node, String(value))]).toEqual([value, isWithin(value, bounds)])
  })

  test("are exactly those decimals", () => {
    const node = numbersWithin(bounds)
    for (let hundredths = -2100; hundredths <= 2100; hundredths += 5) {
      const value = hundredths / 100
      for (const text of [String(value), value.toFixed(2)]) {
        // "-0.00" is 0 in another spelling, which is not generated.
        if (value === 0 && text.startsWith("-")) continue
        expect([text, accepts(node, text)]).toEqual([text, isWithin(value, bounds)])
      }
    }
  })
})

test("leading zeros and bare points are no numbers", () => {
  for (const text of ["007", "1.", ".5", "-", "+1", ""])
    expect(accepts(numbersWithin({ min: -10, max: 10 }), text)).toBe(false)
})
