import { describe, expect, test } from "bun:test"
import { languageCode, languageName } from "../../src/domain/media/language"

describe("a language", () => {
  test.each([
    ["de", "de"],
    ["German", "de"],
    ["GERMAN", "de"],
    [" german ", "de"],
    ["deu", "de"],
    ["ger", "de"],
    ["de-DE", "de"],
    ["de_AT", "de"],
    ["cmn", "zh"],
    ["yue", "yue"],
    ["Cantonese", "yue"],
    ["Valencian", "ca"],
    ["nb", "no"],
    ["iw", "he"],
    ["Hebrew", "he"],
    ["Indonesian", "id"],
    ["fil", "tl"],
  ])("given as %p is %p", (given, code) => {
    expect(languageCode(given)).toBe(code)
  })

  test.each(["", "auto", "xx", "x", "klingon", "de; rm", "deutschland", "constructor"])(
    "is not %p",
    (given) => {
      expect(languageCode(given)).toBeUndefined()
    },
  )

  test.each([
    ["de", "german"],
    ["jw", "javanese"],
    ["no", "norwegian"],
    ["yue", "cantonese"],
    ["xx", "xx"],
  ])("with the code %p is called %p", (code, name) => {
    expect(languageName(code)).toBe(name)
  })
})
