import { afterAll, describe, expect, test } from "bun:test"
import { Tokenizer } from "@huggingface/tokenizers"
import { join } from "node:path"
import { convertToGguf } from "../../src/convert/convert"
import { planGguf } from "../../src/convert/plan"
import { HfFolder } from "../../src/convert/source/folder"
import { Library } from "../../src/llama/library"
import { Model } from "../../src/llama/model"
import { locateLlama } from "../../src/native/llama-files"
import { mulberry } from "../support/files/mulberry"
import { TINY_FOLDERS, writeTinyFolder } from "../support/hf/tiny-folders"
import { tempFolder } from "../support/temp-folder"

const temp = tempFolder()
const place = temp.path
afterAll(() => temp[Symbol.dispose]())

const TEXTS = 2000
const PIECES = [
  ..."etaoin shrdlu THE 0123456789 \n\t.,;:!?'\"()[]{}<>=+-*/\\|_@#$%^&~`",
  ...["the ", " and", "'s", "'LL", "  ", "\n\n", "\r\n", "tion", "ing ", "1234", "don't", "I'm"],
  ...["ß", "é", "ñ", "нещо", "កាន់", "我想在", "日本語", "한국어", "مرحبا", "שלום", "ไทย", "हिन्दी"],
  ...["🚀", "👩‍👩‍👧", "😶‍🌫️", "\u00a0", "\u200b", "\u3000", "ﬁ", "Ⅷ", "½"],
  ...["if (x) {\n  return y;\n}", "def f(a):\n    pass", "https://a.b/c?d=e", "<b>x</b>"],
]

function randomTexts(): readonly string[] {
  const random = mulberry(2000)
  return Array.from({ length: TEXTS }, () =>
    Array.from(
      { length: 1 + Math.floor(random() * 20) },
      () => PIECES[Math.floor(random() * PIECES.length)] ?? "",
    ).join(""),
  )
}

describe("a converted model divides texts like its source:", () => {
  test("two thousand texts in many scripts, with emoji, code and spaces", async () => {
    const make = TINY_FOLDERS["llama"]
    if (make === undefined) throw new Error("no folder")
    const folder = writeTinyFolder(join(place, "llama"), make())
    await using plan = await planGguf(await HfFolder.open(folder))
    const [path = ""] = await convertToGguf({ plan, out: join(place, "llama.gguf") })
    const library = Library.open(await locateLlama(place), { useGpu: false, logDescriptor: 2, logLevel: 4 })
    using model = Model.describe(library, path)
    if (model === undefined) throw new Error("llama.cpp refused the model")
    const read = async (name: string) => await Bun.file(join(folder, name)).json()
    const source = new Tokenizer(await read("tokenizer.json"), await read("tokenizer_config.json"))
    const different = randomTexts().filter((text) => {
      const ids = model.vocabulary.tokenize(text, { addSpecial: false, parseSpecial: true })
      return [...ids].join() !== source.encode(text, { add_special_tokens: false }).ids.join()
    })
    expect(different).toEqual([])
  })
})
