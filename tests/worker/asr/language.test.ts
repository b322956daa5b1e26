import { describe, expect, test } from "bun:test"
import { checkTask, chooseLanguage } from "../../../src/worker/asr/language"

const MANY = { languages: ["en", "de", "zh", "yue", "haw", "jw", "no"] }

describe("a request's language", () => {
  test.each([
    ["en", "en"],
    ["EN", "en"],
    ["en-US", "en"],
    ["zh_CN", "zh"],
    [" de ", "de"],
    ["German", "de"],
    ["cantonese", "yue"],
    ["deu", "de"],
    ["de-DE", "de"],
    ["zh-Hant-TW", "zh"],
    ["Mandarin", "zh"],
    ["nb-NO", "no"],
    ["jv", "jw"],
    ["Javanese", "jw"],
    ["", undefined],
    ["auto", undefined],
    [undefined, undefined],
  ])("%p is the model's %p", (wanted, expected) => {
    expect(chooseLanguage(MANY, wanted)).toBe(expected)
  })

  test.each(["fr", "klingon", "x", "de; rm"])("%p is refused, naming those that are known", (wanted) => {
    expect(() => chooseLanguage(MANY, wanted)).toThrow(
      `language '${wanted}' is not supported: the model supports de, en, haw, jw, no, yue, zh`,
    )
  })

  test("changes nothing where the model does not say what it knows, but must be one", () => {
    expect(chooseLanguage({ languages: [] }, "fr")).toBeUndefined()
    expect(chooseLanguage({ languages: [] }, "French")).toBeUndefined()
    expect(() => chooseLanguage({ languages: [] }, "klingon")).toThrow("it must be a code (en, en-US)")
  })
})

test("only models that can are asked to translate", () => {
  expect(() => checkTask({ canTranslate: false }, "translate")).toThrow("cannot translate")
  checkTask({ canTranslate: true }, "translate")
  checkTask({ canTranslate: false }, "transcribe")
})
