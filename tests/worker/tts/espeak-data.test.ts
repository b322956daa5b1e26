import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { locateEspeakData } from "../../../src/native/espeak-files"
import { findEspeakData, readEspeakData } from "../../../src/worker/tts/espeak-data"
import { writeFiles } from "../../support/files/speech-models"
import { tempFolder } from "../../support/temp-folder"

const FILES = { phontab: "x", phonindex: "x", phondata: "x", intonations: "x" }

describe("espeak-ng's data", () => {
  test("have the languages whose rules and words are both there", async () => {
    using temp = tempFolder()
    writeFiles(temp.path, {
      ...FILES,
      en_dict: "x",
      no_dict: "x",
      "lang/gmw/en-US": "name English\nlanguage en-us 2\n",
      "lang/gmw/en-GB-x-rp": "language en-gb-x-rp\nlanguage en-gb 4\n",
      "lang/gmq/nb": "language nb\ndictionary no\n",
      "lang/zle/ru": "language ru\n",
    })
    const data = await readEspeakData(temp.path)
    const names = ["en-us", "EN-US", "en-gb", "en-gb-x-rp", "nb", "ru", "tlh"].map((each) =>
      data?.nameOf(each),
    )
    expect(names).toEqual(["en-us", "en-us", "en-gb-x-rp", "en-gb-x-rp", "nb", undefined, undefined])
  })

  test("are none where a file is missing that espeak-ng ends the process without", async () => {
    using temp = tempFolder()
    const { phondata: _, ...others } = FILES
    writeFiles(temp.path, others)
    expect(await readEspeakData(temp.path)).toBeUndefined()
  })

  test("that come with a model are taken before the program's, if they have its language", async () => {
    using temp = tempFolder()
    const own = join(temp.path, "espeak-ng-data")
    writeFiles(own, { ...FILES, en_dict: "x", "lang/en": "language en\n" })
    const runtime = join(temp.path, "runtime")
    const found = (language: string) => findEspeakData("m", { language, ownData: own }, runtime)
    expect((await found("en")).folder).toBe(own)
    expect((await found("de")).folder).toStartWith(runtime)
  })

  test("of the program know many languages", async () => {
    using temp = tempFolder()
    const data = await readEspeakData((await locateEspeakData(temp.path)) ?? "")
    const languages = [
      "en-us",
      "en-gb",
      "de",
      "fr-fr",
      "es",
      "it",
      "pt-br",
      "pl",
      "ja",
      "hi",
      "ar",
      "tr",
      "vi",
    ]
    expect(languages.filter((language) => data?.nameOf(language) === undefined)).toEqual([])
  })
})
