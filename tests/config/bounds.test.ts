import { describe, expect, test } from "bun:test"
import Type from "typebox"
import { Compile } from "typebox/compile"
import { parameterFlags } from "../../src/cli/args/parameters"
import { allSettings } from "../../src/config/schema"
import type { Setting } from "../../src/config/setting"
import type { Value } from "../../src/config/values"
import { XllmError } from "../../src/errors/base"

const NINES = "9".repeat(400)

/** Texts that are too much for whatever they are given to. */
const TEXTS: Readonly<Record<string, string>> = {
  "a number of 400 digits": NINES,
  "a negative number of 400 digits": `-${NINES}`,
  "a number of 15 digits, times 1024": "999999999999999k",
  "a number with an exponent": "1e300",
  "a time of 400 digits": `${NINES}d`,
  "a size of 400 digits": `${NINES}PiB`,
  "a long text": "x".repeat(100_000),
  "a long URL": `http://${"x".repeat(100_000)}.com/`,
  "a long list of texts": Array(100_000).fill("x").join(","),
  "a long list of numbers": Array(100_000).fill("1").join(","),
}

/** What a file may say. */
const JSON_VALUES: Readonly<Record<string, unknown>> = {
  ...TEXTS,
  "a number": 1e300,
  "a negative number": -1e300,
  "a list of texts": Array(100_000).fill("x"),
  "a list of long texts": Array(10).fill("x".repeat(10_000)),
  "a list of numbers": Array(100_000).fill(1),
}

/** What is wrong with what becomes of a value; undefined where it is refused, or small. */
function faultOf(take: () => unknown): string | undefined {
  try {
    const value = take()
    const isSane = numbersIn(value).every((number) => Math.abs(number) <= 2 ** 50)
    return isSane && JSON.stringify(value).length <= 20_000 ? undefined : "is taken"
  } catch (error) {
    if (!(error instanceof XllmError)) return `fails with ${String(error)}`
    return error.message.length > 600 ? `repeats ${error.message.length} characters` : undefined
  }
}

function numbersIn(value: unknown): readonly number[] {
  if (typeof value === "number") return [value]
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(numbersIn) : []
}

describe.each(Object.entries<Setting<unknown>>(allSettings))("the setting %s has a bound", (_, { value }) => {
  const validator = Compile(Type.Unsafe(value.schema))

  test.each(Object.entries(TEXTS))("for what a flag or a variable says: %s", (_what, text) => {
    expect(faultOf(() => value.parse(text, "--it"))).toBeUndefined()
  })

  test.each(Object.entries(JSON_VALUES))("for what a file says: %s", (_what, given) => {
    // Nothing else is read.
    if (!validator.Check(given)) return
    expect(faultOf(() => value.read(given, "it"))).toBeUndefined()
  })
})

describe.each(Object.entries<{ readonly value: Value<unknown> }>(parameterFlags))(
  "the parameter %s has a bound",
  (_, { value }) => {
    test.each(Object.entries(TEXTS))("%s", (_what, text) => {
      expect(faultOf(() => value.parse(text, "--it"))).toBeUndefined()
    })
  },
)
