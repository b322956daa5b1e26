import { afterAll, describe, expect, test } from "bun:test"
import { Tokenizer } from "@huggingface/tokenizers"
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { convertToGguf } from "../../src/convert/convert"
import { planGguf } from "../../src/convert/plan"
import { HfFolder } from "../../src/convert/source/folder"
import { readGgufHeader } from "../../src/formats/gguf/read"
import { Library } from "../../src/llama/library"
import { Model } from "../../src/llama/model"
import { locateLlama } from "../../src/native/llama-files"
import { failure } from "../support/failure"
import { mulberry } from "../support/files/mulberry"
import { summarizeGguf } from "../support/hf/gguf-summary"
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

/** Folders with each kind of tokenizer. `plain`: what all tokenizers of the kind do with texts before they divide them. */
const KINDS: Readonly<
  Record<string, { folder: string; pre?: string; plain?: (text: string) => string; json?: typeof pieceJson }>
> = {
  "byte pairs": { folder: "llama", pre: "llama-bpe" },
  "word pieces": { folder: "bert" },
  // Published ones have a table of replacements, and leave out all spaces but one.
  "pieces with probabilities": {
    folder: "xlm-roberta",
    plain: (text) =>
      text
        .normalize("NFKC")
        .replaceAll(/[\s\u200b-\u200f]+/g, " ")
        .trim(),
  },
  "pieces of SentencePiece": { folder: "mistral", json: pieceJson },
}

/** What transformers makes of the pieces of a converted model: a tokenizer.json with merges by their scores. */
function pieceJson(path: string): object {
  const list = (key: string) => {
    const value = readGgufHeader(path, { keepArrays: [key] }).metadata.get(key)
    return typeof value === "object" ? Array.from(value.values ?? []) : []
  }
  const tokens = list("tokenizer.ggml.tokens").map(String)
  const scores = list("tokenizer.ggml.scores").map(Number)
  const types = list("tokenizer.ggml.token_type").map(Number)
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const merges = tokens.flatMap((token, id) => {
    const letters = [...token]
    if (types[id] !== 1) return []
    return letters.slice(1).flatMap((_, at) => {
      const pair = [letters.slice(0, at + 1).join(""), letters.slice(at + 1).join("")]
      return pair.every((part) => types[ids.get(part) ?? 0] === 1) ? [{ pair, score: scores[id] ?? 0 }] : []
    })
  })
  merges.sort((a, b) => b.score - a.score)
  return {
    added_tokens: tokens.flatMap((content, id) =>
      types[id] === 2 || types[id] === 3 || types[id] === 4
        ? [
            {
              id,
              content,
              special: types[id] === 3,
              normalized: false,
              single_word: false,
              lstrip: false,
              rstrip: false,
            },
          ]
        : [],
    ),
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "▁" },
        { type: "Replace", pattern: { String: " " }, content: "▁" },
      ],
    },
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: {
      type: "BPE",
      unk_token: "<unk>",
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(ids),
      merges: merges.map(({ pair }) => pair),
    },
  }
}

async function convert(folder: string, pre: string | undefined): Promise<string> {
  await using plan = await planGguf(await HfFolder.open(folder), { ...(pre !== undefined && { pre }) })
  const [path = ""] = await convertToGguf({ plan, out: `${folder}.gguf`, mayReplace: true })
  return path
}

describe("a converted model divides two thousand texts like its source:", () => {
  for (const [kind, { folder: name, pre, json, plain = (text: string) => text }] of Object.entries(KINDS))
    test(kind, async () => {
      const make = TINY_FOLDERS[name]
      if (make === undefined) throw new Error("no folder")
      const folder = writeTinyFolder(join(place, name), make())
      const path = await convert(folder, pre)
      const read = async (file: string): Promise<object> => await Bun.file(join(folder, file)).json()
      const source = new Tokenizer(
        json === undefined ? await read("tokenizer.json") : json(path),
        await read("tokenizer_config.json"),
      )
      const library = Library.open(await locateLlama(place), { useGpu: false, logDescriptor: 2, logLevel: 4 })
      using model = Model.describe(library, path)
      if (model === undefined) throw new Error("llama.cpp refused the model")
      const different = randomTexts()
        .map(plain)
        .flatMap((text) => {
          const ids = model.vocabulary.tokenize(text, { addSpecial: false, parseSpecial: true })
          const expected = source.encode(text, { add_special_tokens: false }).ids.join()
          return [...ids].join() === expected ? [] : [[text, [...ids].join(), expected]]
        })
      expect(different.slice(0, 3)).toEqual([])
    })
})

describe("byte pairs in the older files vocab.json and merges.txt", () => {
  test("become the same vocabulary", async () => {
    const make = TINY_FOLDERS["qwen2"]
    if (make === undefined) throw new Error("no folder")
    const whole = writeTinyFolder(join(place, "whole"), make())
    const tokenizer = await Bun.file(join(whole, "tokenizer.json")).json()
    const { vocab, merges } = tokenizer.model as { vocab: object; merges: (string | string[])[] }
    const added: { content: string; id: number; special: boolean }[] = tokenizer.added_tokens
    const parts = writeTinyFolder(join(place, "parts"), make())
    writeFileSync(
      join(parts, "added_tokens.json"),
      JSON.stringify(Object.fromEntries(added.map(({ content, id }) => [content, id]))),
    )
    const special = added.filter((token) => token.special).map(({ content }) => content)
    writeFileSync(
      join(parts, "special_tokens_map.json"),
      JSON.stringify({ additional_special_tokens: special }),
    )
    rmSync(join(parts, "tokenizer.json"))
    writeFileSync(join(parts, "vocab.json"), JSON.stringify(vocab))
    const lines = merges.map((merge) => (typeof merge === "string" ? merge : merge.join(" ")))
    writeFileSync(join(parts, "merges.txt"), `#version: 0.2\n${lines.join("\n")}\n`)
    const of = async (folder: string) => {
      const { keys } = summarizeGguf(await convert(folder, "gpt-2"))
      return Object.entries(keys).filter(([key]) => /tokens|merges|token_type|token_id|\.pre$/.test(key))
    }
    expect(await of(parts)).toEqual(await of(whole))
    writeFileSync(join(parts, "merges.txt"), "a b c\n")
    expect((await failure(convert(parts, "gpt-2"))).message).toContain("'a b c' is not a pair of texts")
  })

  test("may have more than one chat template", async () => {
    const make = TINY_FOLDERS["qwen2"]
    if (make === undefined) throw new Error("no folder")
    const folder = writeTinyFolder(join(place, "templates"), make())
    const config = JSON.parse(readFileSync(join(folder, "tokenizer_config.json"), "utf8"))
    writeFileSync(
      join(folder, "tokenizer_config.json"),
      JSON.stringify({ ...config, chat_template: undefined }),
    )
    writeFileSync(join(folder, "chat_template.jinja"), "main")
    mkdirSync(join(folder, "additional_chat_templates"))
    writeFileSync(join(folder, "additional_chat_templates", "tool_use.jinja"), "tools")
    expect(summarizeGguf(await convert(folder, "gpt-2")).keys).toMatchObject({
      "tokenizer.chat_template": '"main"',
      "tokenizer.chat_template.tool_use": '"tools"',
      "tokenizer.chat_templates": '["string",["tool_use"]]',
    })
  })
})
