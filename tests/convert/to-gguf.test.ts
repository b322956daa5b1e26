import { afterAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { type OutType, planGguf } from "../../src/convert/plan"
import { HfFolder } from "../../src/convert/source/folder"
import { writeGgufModel } from "../../src/formats/gguf/write"
import { sha256, summarizeGguf } from "../support/hf/gguf-summary"
import { TINY_FOLDERS, writeTinyFolder } from "../support/hf/tiny-folders"
import { tempFolder } from "../support/temp-folder"
import reference from "./reference.json"

/**
 * What llama.cpp's converter makes of the same folders: recorded with its release 0.5.0 and transformers 4.57.6, the
 * pre-tokenizer named `gpt-2`. Long values are recorded by their sums.
 */
const REFERENCE: Readonly<
  Record<string, { tensors: Readonly<Record<string, string>>; keys: Readonly<Record<string, string>> }>
> = reference

const TYPES: readonly OutType[] = ["bf16", "f16", "f32", "q8_0"]

const temp = tempFolder()
const folder = temp.path
afterAll(() => temp[Symbol.dispose]())

async function convert(name: string, outType: OutType): Promise<string> {
  const make = TINY_FOLDERS[name]
  if (make === undefined) throw new Error(`no folder '${name}'`)
  const source = writeTinyFolder(join(folder, name), make())
  await using plan = await planGguf(await HfFolder.open(source), { outType, pre: "gpt-2" })
  const [path = ""] = await writeGgufModel(join(folder, `${name}-${outType}.gguf`), plan.fields, plan.tensors)
  return path
}

describe("a folder from Hugging Face", () => {
  for (const [name, { tensors, keys }] of Object.entries(REFERENCE)) {
    test(`becomes the same GGUF as by llama.cpp's converter: ${name}`, async () => {
      for (const type of TYPES) {
        const made = summarizeGguf(await convert(name, type))
        expect([type, sha256(made.tensors.join("\n"))]).toEqual([type, tensors[type] ?? ""])
        if (type !== "bf16") continue
        const entries = Object.entries(made.keys).map(([key, text]) => [
          key,
          text.length > 80 ? sha256(text) : text,
        ])
        expect(Object.fromEntries(entries)).toEqual(keys)
      }
    })
  }

  test("with pieces and their probabilities keeps scores, kinds and the table of replacements", async () => {
    const { keys } = summarizeGguf(await convert("xlm-roberta", "bf16"))
    expect(keys).toMatchObject({
      "general.architecture": '"bert"',
      "bert.context_length": "512",
      "bert.attention.causal": "false",
      "tokenizer.ggml.model": '"t5"',
      "tokenizer.ggml.bos_token_id": "0",
      "tokenizer.ggml.padding_token_id": "1",
      "tokenizer.ggml.eos_token_id": "2",
      "tokenizer.ggml.add_space_prefix": "true",
      "tokenizer.ggml.remove_extra_whitespaces": "true",
    })
    expect(keys["tokenizer.ggml.scores"]).toStartWith('["f32",[-0.5,-0.5,-0.5,-0.5,-2.5,-3.5,')
    expect(keys["tokenizer.ggml.token_type"]).toStartWith('["i32",[3,3,3,2,1,1,')
    expect(keys["tokenizer.ggml.precompiled_charsmap"]).toStartWith('["u8",[0,4,0,0,')
  })

  test("keeps the byte order mark that a token begins with", async () => {
    const { keys } = summarizeGguf(await convert("llama", "bf16"))
    const path = join(folder, "llama-bf16.gguf")
    expect(keys["tokenizer.ggml.tokens"]).toBeDefined()
    const { readGgufHeader } = await import("../../src/formats/gguf/read")
    const tokens = readGgufHeader(path, { keepArrays: ["tokenizer.ggml.tokens"] }).metadata.get(
      "tokenizer.ggml.tokens",
    )
    expect(typeof tokens === "object" && tokens.values?.includes("\ufeff//")).toBe(true)
  })
})
