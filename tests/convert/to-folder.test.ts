import { afterAll, describe, expect, test } from "bun:test"
import { Tokenizer } from "@huggingface/tokenizers"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { convertToGguf } from "../../src/convert/convert"
import { GgufSource } from "../../src/convert/folder/gguf-source"
import { convertToFolder } from "../../src/convert/folder/to-folder"
import { planGguf } from "../../src/convert/plan"
import { HfFolder } from "../../src/convert/source/folder"
import { failure } from "../support/failure"
import { summarizeGguf } from "../support/hf/gguf-summary"
import { TINY_FOLDERS, writeTinyFolder } from "../support/hf/tiny-folders"
import { tempFolder } from "../support/temp-folder"

const temp = tempFolder()
const place = temp.path
afterAll(() => temp[Symbol.dispose]())

async function toGguf(folder: string, out: string): Promise<string> {
  await using plan = await planGguf(await HfFolder.open(folder), { pre: "llama-bpe", name: "Tiny" })
  const [path = ""] = await convertToGguf({ plan, out: join(place, out), mayReplace: true })
  return path
}

async function tiny(name: string): Promise<string> {
  const make = TINY_FOLDERS[name]
  if (make === undefined) throw new Error(`no folder '${name}'`)
  return await toGguf(writeTinyFolder(join(place, name), make()), `${name}.gguf`)
}

async function back(path: string, out: string, shardBytes = 5e9): Promise<string> {
  await using source = await GgufSource.open(path)
  await convertToFolder({ source, out: join(place, out), type: "BF16", shardBytes })
  return join(place, out)
}

describe("a GGUF becomes a folder, and the folder the same GGUF:", () => {
  // Norms of Gemma are one less in a folder, which rounds them: their numbers are compared elsewhere.
  for (const name of [
    "llama",
    "llama-rope3",
    "mistral",
    "smollm3",
    "granite",
    "qwen2",
    "qwen3",
    "phi3",
    "phi3-long",
  ])
    test(name, async () => {
      const path = await tiny(name)
      const again = await toGguf(await back(path, `${name}-back`), `${name}-again.gguf`)
      const [first, second] = [summarizeGguf(path), summarizeGguf(again)]
      expect([...second.tensors].sort()).toEqual([...first.tensors].sort())
      for (const [key, value] of Object.entries(first.keys)) {
        if (!key.startsWith(`${first.keys["general.architecture"]?.replaceAll('"', "") ?? ""}.`)) continue
        expect([key, second.keys[key]]).toEqual([key, value])
      }
      for (const key of ["tokens", "token_type", "merges", "scores", "bos_token_id", "eos_token_id"])
        expect([key, second.keys[`tokenizer.ggml.${key}`]]).toEqual([
          key,
          first.keys[`tokenizer.ggml.${key}`],
        ])
      expect(second.keys["tokenizer.chat_template"]).toBe(first.keys["tokenizer.chat_template"] ?? "")
    })
})

test("the folder's tokenizer gives the ids of the original one", async () => {
  const folder = await back(await tiny("qwen3-embedding"), "ids")
  const read = async (path: string) =>
    new Tokenizer(
      await Bun.file(join(path, "tokenizer.json")).json(),
      await Bun.file(join(path, "tokenizer_config.json")).json(),
    )
  const [original, recovered] = await Promise.all([read(join(place, "qwen3-embedding")), read(folder)])
  for (const text of ["the other and the end", "a\n\n b\t1234", "Ünïcode 🚀 <|bos|> x", "\ufeff// no", ""])
    expect(recovered.encode(text).ids).toEqual(original.encode(text).ids)
})

test("large models become several files with an index", async () => {
  const folder = await back(await tiny("mistral"), "many", 50_000)
  const names = readdirSync(folder)
  expect(names).toContain("model.safetensors.index.json")
  expect(names.filter((name) => name.endsWith(".safetensors")).length).toBeGreaterThan(2)
  expect(await toGguf(folder, "many.gguf")).toEndWith("many.gguf")
})

test("the folder says what was not recovered", async () => {
  const folder = await back(await tiny("llama"), "said")
  expect(await Bun.file(join(folder, "README.md")).text()).toContain(
    "Not recovered:\n\n- the type of the original weights",
  )
})

test("an architecture without a way back is refused, and so is a folder that exists", async () => {
  const path = await tiny("bert")
  expect((await failure(back(path, "bert-back"))).message).toContain(
    "'bert' cannot be turned into a folder yet",
  )
  const llama = await tiny("qwen2moe")
  expect((await failure(back(llama, "moe-back"))).message).toContain("'qwen2moe' cannot be turned")
  expect(readdirSync(place).filter((name) => name.endsWith(".part"))).toEqual([])
})
